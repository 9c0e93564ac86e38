"""Staff: keeps the lists, decides cases, finishes deliveries and money that no machine can."""

from __future__ import annotations

from services.ledger.domain.payment.state import UNMATCHED
from shared.contracts import Command, Money
from shared.contracts.fulfillment import (
    DeliveryFailed,
    DeliveryHandedOver,
    DeliveryResolved,
    KeysDelivered,
    OpenGoods,
    ResolveDelivery,
    SettleStatement,
    SupplierClaimWon,
    SupplierDelivered,
    SupplierStatementRecorded,
    SupplierStatementSettled,
    WinClaim,
    purchase_request_id,
)
from shared.contracts.gateway import AddStaff, Role, SettleUnread, StatementUnread, UnreadSettled
from shared.contracts.ledger import (
    GiveBackPayment,
    MatchPayment,
    PaymentReturned,
    PaymentUnmatched,
    PostEntry,
    Posting,
    RecordReturnByHand,
    RetryReturn,
    ReturnedByHand,
    ReturnFailed,
    ReturnRequested,
    ReverseEntry,
    SettlePayment,
    UnmatchedSettled,
)
from shared.contracts.risk import CaseClosed, CaseDecided, CaseOpened, DecideCase, ListName, SetListEntry
from shared.runtime.simulated.luck import Luck
from shared.security.sealing import keypair_from_secret
from tests.simulation.scenario import STOLEN_PHONE, WATCHED_PHONE
from tests.simulation.scene import Scene

SUPPORT, OPERATIONS, FINANCE = "staff:support", "staff:operations", "staff:finance"
ENDS = (DeliveryResolved, DeliveryFailed, SupplierDelivered, KeysDelivered)
READER = keypair_from_secret("whoever reads a supplier's goods").public
FORGETFUL = 0.35
LOOKS_AGAIN_SECONDS = 30.0


class Staff:
    """Looks at what waits for a person after about `diligence` seconds, or forgets it until `catch_up`."""

    def __init__(self, scene: Scene, luck: Luck, diligence: float) -> None:
        self._scene, self._luck, self._diligence = scene, luck, diligence
        self._cases: dict[str, CaseOpened] = {}
        self._handed_over: dict[str, DeliveryHandedOver] = {}
        self._unmatched: dict[str, PaymentUnmatched] = {}
        self._failed: dict[tuple[str, str], ReturnFailed] = {}
        self._statements: dict[tuple[str, int], SupplierStatementRecorded] = {}
        self._claims: dict[tuple[str, int], SupplierStatementSettled] = {}
        self._rests: set[str] = set()
        self._short: set[tuple[str, str]] = set()
        self._unread: dict[str, StatementUnread] = {}
        self._asked = 0
        self._forgets = FORGETFUL
        window = scene.window
        window.every(CaseOpened, self._case_opened)
        for end in (CaseDecided, CaseClosed):
            window.every(end, lambda event: self._cases.pop(event.order_id, None))
        window.every(DeliveryHandedOver, self._delivery_handed_over)
        window.every(PaymentUnmatched, self._payment_unmatched)
        window.every(UnmatchedSettled, lambda event: self._unmatched.pop(event.item, None))
        window.every(ReturnFailed, self._return_failed)
        for back in (ReturnRequested, PaymentReturned, ReturnedByHand):
            window.every(back, lambda event: self._failed.pop((event.payment_id, event.return_id), None))
        window.every(SupplierStatementRecorded, self._stated)
        window.every(SupplierStatementSettled, self._statement_settled)
        window.every(SupplierClaimWon, lambda event: self._claims.pop((event.delivery_id, event.statement), None))
        window.every(StatementUnread, self._statement_unread)
        window.every(UnreadSettled, lambda event: self._unread.pop(event.statement_id, None))
        for end in ENDS:
            window.every(end, lambda event: self._handed_over.pop(event.delivery_id, None))

    def start(self) -> None:
        """Come to work, and put two devices on the lists."""
        send = self._scene.requests.send
        roles: tuple[Role, ...] = ("operations", "support", "finance")
        for role in roles:
            send(f"add-{role}", AddStaff(username=role, role=role), "staff:administrator")
        lists: tuple[tuple[str, ListName], ...] = ((STOLEN_PHONE, "block"), (WATCHED_PHONE, "watch"))
        for device, name in lists:
            entry = SetListEntry(
                entry=f"device:{device}", list=name, dimension="device", value=device, reason="reported"
            )
            send(f"list-{device}", entry, OPERATIONS)
        self._scene.later(self._luck.uniform(0, 200), self._post_an_entry)

    def is_done(self) -> bool:
        """Whether nothing waits for a person."""
        waits = (self._cases, self._handed_over, self._unmatched, self._failed, self._statements, self._claims)
        return not any(waits) and not self._unread

    def catch_up(self) -> None:
        """Do now what waits, and forget nothing any more."""
        self._forgets, self._diligence = 0.0, 1.0
        self.look()

    def look(self) -> None:
        """Do now what waits."""
        for order_id in list(self._cases):
            self._decide(order_id)
        for delivery_id in list(self._handed_over):
            self._resolve(delivery_id)
        for item in list(self._unmatched):
            self._finish(item)
        for name in list(self._failed):
            self._pay_back(*name)
        for statement in list(self._statements):
            self._settle(*statement)
        for claim in list(self._claims):
            self._end_claim(*claim)
        for statement_id in list(self._unread):
            self._find_out(statement_id)

    def _id(self, what: str) -> str:
        """A new one each time: a person who tries again presses the button again."""
        self._asked += 1
        return f"{what}/{self._asked}"

    def _case_opened(self, event: CaseOpened) -> None:
        self._cases[event.order_id] = event
        if not self._luck.chance(self._forgets):
            self._scene.later(self._patience(), lambda: self._decide(event.order_id))

    def _delivery_handed_over(self, event: DeliveryHandedOver) -> None:
        self._handed_over[event.delivery_id] = event
        if not self._luck.chance(self._forgets):
            self._scene.later(self._patience(), lambda: self._resolve(event.delivery_id))

    def _payment_unmatched(self, event: PaymentUnmatched) -> None:
        self._unmatched[event.item] = event
        if not self._luck.chance(self._forgets):
            self._scene.later(self._patience(), lambda: self._finish(event.item))

    def _return_failed(self, event: ReturnFailed) -> None:
        item = event.return_id.removeprefix(UNMATCHED)
        if item in self._unmatched:
            self._rests |= {item} if event.paid is not None else set()
            return
        name = (event.payment_id, event.return_id)
        self._failed[name] = event
        self._short |= {name} if event.paid is not None else set()
        if not self._luck.chance(self._forgets):
            self._scene.later(self._patience(), lambda: self._pay_back(*name))

    def _finish(self, item: str) -> None:
        """Ask the channel what it really took: its money is matched or given back, its mistakes are noted."""
        event = self._unmatched.get(item)
        if event is None:
            return
        is_true = self._scene.partners.channel.collected(event.payment_id) == event.amount
        command: Command
        if not event.postings or item in self._rests:
            command = SettlePayment(payment_id=event.payment_id, item=item, note="the channel erred")
        elif not is_true:
            self._scene.later(LOOKS_AGAIN_SECONDS, lambda: self._finish(item))
            return
        elif self._luck.chance(0.5):
            command = MatchPayment(payment_id=event.payment_id, item=item, note="it is meant for this")
        else:
            command = GiveBackPayment(payment_id=event.payment_id, item=item, note="the buyer wants it back")
        self._scene.requests.send(self._id(f"finish-{item[:8]}"), command, FINANCE)
        self._scene.later(LOOKS_AGAIN_SECONDS, lambda: self._finish(item))

    def _pay_back(self, payment_id: str, return_id: str) -> None:
        """The channel is asked again; sometimes a person pays."""
        event = self._failed.get((payment_id, return_id))
        if event is None:
            return
        command: Command = RetryReturn(payment_id=payment_id, return_id=return_id)
        if (payment_id, return_id) in self._short or ("unknown" not in event.reason and self._luck.chance(0.2)):
            command = RecordReturnByHand(payment_id=payment_id, return_id=return_id, note="by bank")
        self._scene.requests.send(self._id(f"return-{payment_id}"), command, FINANCE)

    def _stated(self, event: SupplierStatementRecorded) -> None:
        if event.finding == "agrees":
            return
        self._statements[event.delivery_id, event.statement] = event
        if not self._luck.chance(self._forgets):
            self._scene.later(self._patience(), lambda: self._settle(event.delivery_id, event.statement))

    def _settle(self, delivery_id: str, statement: int) -> None:
        """Bear it or claim it; of a bill that cannot be, staff finds out what it really is, and reads what came with
        it."""
        event = self._statements.get((delivery_id, statement))
        if event is None:
            return
        if event.goods:
            reading = OpenGoods(delivery_id=delivery_id, statement=statement, reader_key=READER, note="who wants it?")
            self._scene.requests.send(self._id(f"read-{delivery_id}"), reading, FINANCE)
        decision = self._luck.choice(("cost", "claim"))
        cost = Money(amount=900) if event.finding == "doubtful-cost" and decision == "cost" else None
        command = SettleStatement(
            delivery_id=delivery_id, statement=statement, decision=decision, cost=cost, note="asked them"
        )
        self._scene.requests.send(self._id(f"settle-{delivery_id}"), command, FINANCE)

    def _statement_settled(self, event: SupplierStatementSettled) -> None:
        name = (event.delivery_id, event.statement)
        self._statements.pop(name, None)
        self._claims.pop(name, None)
        if event.decision == "claim":
            self._claims[name] = event
            if not self._luck.chance(self._forgets):
                self._scene.later(self._patience(), lambda: self._end_claim(*name))

    def _end_claim(self, delivery_id: str, statement: int) -> None:
        """The supplier credits it, or does not."""
        if (delivery_id, statement) not in self._claims:
            return
        fields = {"delivery_id": delivery_id, "statement": statement, "note": "they answered"}
        is_won = self._luck.chance(0.6)
        command = WinClaim(**fields) if is_won else SettleStatement(**fields, decision="cost")
        self._scene.requests.send(self._id(f"claim-{delivery_id}"), command, FINANCE)

    def _statement_unread(self, event: StatementUnread) -> None:
        self._unread[event.statement_id] = event
        if not self._luck.chance(self._forgets):
            self._scene.later(self._patience(), lambda: self._find_out(event.statement_id))

    def _find_out(self, statement_id: str) -> None:
        if statement_id in self._unread:
            command = SettleUnread(statement_id=statement_id, note="asked them")
            self._scene.requests.send(self._id(f"find-out-{statement_id}"), command, FINANCE)

    def _patience(self) -> float:
        return self._luck.uniform(0.5, 2) * self._diligence

    def _decide(self, order_id: str) -> None:
        if order_id in self._cases:
            decision = self._luck.choice(("pass", "pass", "block"))
            command = DecideCase(order_id=order_id, decision=decision, note="looked at")
            self._scene.requests.send(self._id(f"decide-{order_id}"), command, SUPPORT)

    def _resolve(self, delivery_id: str) -> None:
        event = self._handed_over.get(delivery_id)
        if event is not None:
            command = ResolveDelivery(delivery_id=delivery_id, delivered=self._has_goods(event), note="seen to")
            self._scene.requests.send(self._id(f"resolve-{delivery_id}"), command, SUPPORT)

    def _has_goods(self, event: DeliveryHandedOver) -> bool:
        """The truth where a supplier knows it; what is delivered by hand mostly succeeds."""
        if event.supplier is not None:
            supplier = self._scene.partners.suppliers[event.supplier]
            return supplier.ask(purchase_request_id(event.delivery_id, event.supplier)) is True
        return event.reason == "delivered by hand" and self._luck.chance(0.7)

    def _post_an_entry(self) -> None:
        """A manual entry by finance, and sometimes its reversal."""
        postings = (
            Posting(account="cost:main", amount=Money(amount=700)),
            Posting(account="supplier:north", amount=Money(amount=-700)),
        )
        entry = PostEntry(entry_id="entry-1", postings=postings, note="a fee that was forgotten")
        self._scene.requests.send("post-1", entry, FINANCE)
        if self._luck.chance(0.5):
            reverse = ReverseEntry(entry_id="entry-1", note="it was not owed")
            self._scene.later(
                self._luck.uniform(1, 60), lambda: self._scene.requests.send("reverse-1", reverse, FINANCE)
            )
