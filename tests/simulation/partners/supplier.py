"""The suppliers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

import httpx

from sandboxes.purchases import Behaviour, Purchase, Purchases, Wanted
from sandboxes.turned_away import TurnedAway
from shared.contracts.fulfillment import PurchaseReport, purchase_request_id
from shared.hosting.simulated.host import Simulated
from shared.hosting.simulated.luck import Luck
from tests.simulation.manners import Whims
from tests.simulation.partners.partner import Partner, read


class Supplier(Partner):
    """Buys, fails, works on it. A purchase that comes again, though no look-up was told that it is unknown, is bought
    again: so whoever repeats blindly buys twice. `stranger` is a supplier that nobody asked, and that lies."""

    def __init__(self, name: str, whims: Whims, luck: Luck, host: Simulated, stranger: Partner | None = None) -> None:
        super().__init__(name, "supplier", whims, luck, host)
        self.books = Purchases()
        self._stranger = stranger
        self._unknown = Counter[str]()

    def carry_out(self, request: httpx.Request) -> Mapping[str, Any]:
        path = request.url.raw_path.decode()
        if (request.method, path) == ("POST", "/purchases"):
            self.check(request, request.content)
            return self._buy(read(request, Wanted)).model_dump(mode="json")
        request_id = unquote(path.removeprefix("/purchases/"))
        self.check(request, request_id.encode())
        return self._look_up(request_id).model_dump(mode="json")

    def _buy(self, wanted: Wanted) -> PurchaseReport:
        is_known = wanted.request_id in self.books.all
        purchase, is_new = self.books.buy(wanted, Behaviour.OK if is_known else self._behaviour())
        if is_new:
            self._begin(purchase)
        return purchase.report()

    def _behaviour(self) -> Behaviour:
        strike = self._whims.strike
        if strike("failing"):
            return Behaviour.FAILING
        if strike("silent"):
            return Behaviour.SILENT
        return Behaviour.CALLBACK if strike("pending") else Behaviour.OK

    def _begin(self, purchase: Purchase) -> None:
        if purchase.behaviour is Behaviour.CALLBACK and not self._whims.strike("stuck"):
            self._host.timeline.after(self._luck.uniform(0.5, 40), lambda: self._end(purchase))
        if self._stranger is not None and self._whims.strike("wrong_supplier"):
            self._lie(purchase, self._stranger)

    def _end(self, purchase: Purchase) -> None:
        strike = self._whims.strike
        if strike("pending_failing"):
            self.books.fail(purchase)
        else:
            self.books.settle(purchase)
        if strike("callback_lost"):
            return
        late = self._luck.uniform(10, 200) if strike("callback_late") else 0.0
        for _ in range(2 if strike("callback_twice") else 1):
            self.tell(purchase.report().told_by(self.name), after_seconds=late)

    def _lie(self, purchase: Purchase, stranger: Partner) -> None:
        delivery_id = purchase.wanted.request_id.rpartition("#")[0]
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
        blind = purchase.arrived - 1 - self._unknown[purchase.wanted.request_id]
        return purchase.bought + max(0, blind) if purchase.bought else 0
