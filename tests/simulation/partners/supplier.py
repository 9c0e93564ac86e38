"""The suppliers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import unquote

import httpx

from sandboxes.purchases import PIECE_COST, Behaviour, Purchase, PurchaseRequest, Purchases
from sandboxes.turned_away import TurnedAway
from services.fulfillment.adapters.goods import goods_sealing
from shared.contracts import Money
from shared.contracts.fulfillment import PurchaseReport, RecordPurchase, purchase_request_id
from shared.runtime.simulated.host import Simulated
from shared.runtime.simulated.luck import Luck
from tests.simulation.manners import Whims
from tests.simulation.partners.partner import Partner, read


class Supplier(Partner):
    """Buys, fails, works on it. A purchase that comes again, though no look-up was told that it is unknown, is bought
    again: so whoever repeats blindly buys twice. Half of all purchases deliver texts. `stranger` is a supplier that
    nobody asked, and that lies; `ours` are the texts of our own stock."""

    def __init__(
        self, name: str, whims: Whims, luck: Luck, host: Simulated, stranger: Partner | None = None,
        ours: Callable[[], Sequence[str]] = tuple,
    ) -> None:  # fmt: skip
        super().__init__(name, "supplier", whims, luck, host)
        self.books = Purchases()
        self._stranger = stranger
        self._unknown = Counter[str]()
        self._sealing = goods_sealing(host.secrets, luck.fork("sealing").randbytes)
        self._texts, self._oddness = luck.fork("texts"), luck.fork("odd goods")
        self._ours, self._owner = ours, luck.fork("own goods")

    def carry_out(self, request: httpx.Request) -> Mapping[str, Any]:
        path = request.url.raw_path.decode()
        if (request.method, path) == ("POST", "/purchases"):
            self.check(request, request.content)
            return self._buy(read(request, PurchaseRequest)).model_dump(mode="json")
        request_id = unquote(path.removeprefix("/purchases/"))
        self.check(request, request_id.encode())
        return self._look_up(request_id).model_dump(mode="json")

    def _buy(self, wanted: PurchaseRequest) -> PurchaseReport:
        is_known = wanted.request_id in self.books.all
        purchase, is_new = self.books.buy(wanted, Behaviour.OK if is_known else self._behaviour())
        if is_new:
            if self._texts.chance(0.5):
                pieces = range(wanted.quantity)
                fair = tuple(f"CODE-{self._texts.getrandbits(64):016X}" for _ in pieces)
                if (ours := self._ours()) and self._whims.strike("own_goods"):
                    fair = (self._owner.choice(ours[:2]), *fair[1:])  # the keys that sell first
                purchase.goods = self._odd(fair) if self._whims.strike("odd_goods") else fair
            self._begin(purchase)
        return purchase.report()

    @property
    def texts(self) -> Iterator[str]:
        """All that it may have delivered, in the clear."""
        for purchase in self.books.all.values():
            yield from filter(str.strip, purchase.goods)

    def _odd(self, fair: tuple[str, ...]) -> tuple[str, ...]:
        """What can't be what was sold. A text of an earlier purchase is written otherwise than then."""
        first, *others = fair
        odd = [fair[1:], (*fair, f"{first}-MORE"), (" ", *others)]
        if others:
            odd.append((first, first, *others[1:]))
        if before := next(iter(self.texts), None):
            odd += [(f"{before}\u200b", *others)] * len(odd)
        return self._oddness.choice(odd)

    def statement(self, report: PurchaseReport) -> RecordPurchase:
        """A report as the gateway passes it on."""
        return report.told_by(self.name, self._sealing.seal(report))

    def _behaviour(self) -> Behaviour:
        strike = self._whims.strike
        if strike("failing"):
            return Behaviour.FAILING
        if strike("silent"):
            return Behaviour.SILENT
        return Behaviour.CALLBACK if strike("pending") else Behaviour.OK

    def _begin(self, purchase: Purchase) -> None:
        if purchase.outcome == "failed":
            self._relent_perhaps(purchase)
        elif purchase.outcome == "done":
            self._contradict_perhaps(purchase)
        if purchase.behaviour is Behaviour.CALLBACK and not self._whims.strike("stuck"):
            self._host.timeline.after(self._luck.uniform(0.5, 40), lambda: self._end(purchase))
        if self._stranger is not None and self._whims.strike("wrong_supplier"):
            self._lie(purchase, self._stranger)

    def _end(self, purchase: Purchase) -> None:
        strike = self._whims.strike
        if strike("pending_failing"):
            self.books.fail(purchase)
            self._relent_perhaps(purchase)
        else:
            self.books.settle(purchase)
            self._contradict_perhaps(purchase)
        self._tell(purchase)

    def _tell(self, purchase: Purchase) -> None:
        strike = self._whims.strike
        self.mumble(purchase.request.request_id)
        if strike("callback_lost"):
            return
        late = self._luck.uniform(10, 200) if strike("callback_late") else 0.0
        for _ in range(2 if strike("callback_twice") else 1):
            self.tell(self.statement(purchase.report()), after_seconds=late)

    def _relent_perhaps(self, purchase: Purchase) -> None:
        """Deliver some time after having said no."""
        if self._whims.strike("relenting"):
            self._host.timeline.after(self._luck.uniform(1, 150), lambda: self._relent(purchase))

    def _relent(self, purchase: Purchase) -> None:
        self.books.relent(purchase)
        self._tell(purchase)

    def _contradict_perhaps(self, purchase: Purchase) -> None:
        """Say something else of what was delivered, some time later; look-ups go on telling the truth."""
        original = purchase.report()
        for misbehaviour, contrary in (
            ("other_bill", {"cost": Money(amount=PIECE_COST + self._luck.choice((-50, 50, 7)))}),
            ("odd_bill", {"cost": self._luck.choice((None, Money(amount=-5), Money(amount=5, currency="USD")))}),
            ("taken_back", {"outcome": "failed", "cost": None, "goods": ()}),
        ):
            if self._whims.strike(misbehaviour):
                report = original.model_copy(update=contrary)
                purchase.said_no |= report.outcome == "failed"  # which may be heard before what it contradicts
                self.tell(self.statement(report), after_seconds=self._luck.uniform(1, 150))

    def _lie(self, purchase: Purchase, stranger: Partner) -> None:
        delivery_id = purchase.request.request_id.rpartition("#")[0]
        lie = {"request_id": purchase_request_id(delivery_id, stranger.name), "outcome": "done", "cost": {"amount": 1}}
        stranger.tell(PurchaseReport.model_validate(lie).told_by(stranger.name), after_seconds=self._luck.uniform(0, 5))

    def _look_up(self, request_id: str) -> PurchaseReport:
        try:
            return self.books.look_up(request_id).report()
        except TurnedAway:
            self._unknown[request_id] += 1
            raise

    def ask(self, request_id: str) -> bool | None:
        """Staff asks on the phone, which ends what is pending. Whether it was bought, None if it is not known."""
        purchase = self.books.all.get(request_id)
        if purchase is None:
            return None
        self.books.fail(purchase)
        return purchase.bought > 0

    def purchases(self) -> Mapping[str, int]:
        """How often something was bought, by request id."""
        return {request_id: self._bought(purchase) for request_id, purchase in self.books.all.items()}

    def _bought(self, purchase: Purchase) -> int:
        blind = purchase.arrived - 1 - self._unknown[purchase.request.request_id]
        return purchase.bought + max(0, blind) if purchase.bought else 0
