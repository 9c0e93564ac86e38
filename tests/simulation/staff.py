"""Staff: keeps the lists, decides cases, finishes deliveries that no machine can."""

from __future__ import annotations

from shared.contracts import Money
from shared.contracts.fulfillment import (
    DeliveryFailed,
    DeliveryHandedOver,
    DeliveryResolved,
    KeysDelivered,
    ResolveDelivery,
    SupplierDelivered,
    purchase_request_id,
)
from shared.contracts.gateway import AddStaff, Role
from shared.contracts.ledger import PostEntry, Posting, ReverseEntry
from shared.contracts.risk import CaseDecided, CaseOpened, DecideCase, ListName, SetListEntry
from shared.hosting.simulated.luck import Luck
from tests.simulation.scenario import STOLEN_PHONE, WATCHED_PHONE
from tests.simulation.scene import Scene

SUPPORT, OPERATIONS, FINANCE = "staff:support", "staff:operations", "staff:finance"
ENDS = (DeliveryResolved, DeliveryFailed, SupplierDelivered, KeysDelivered)
FORGETFUL = 0.35


class Staff:
    """Looks at what waits for a person after about `diligence` seconds, or forgets it until `catch_up`."""

    def __init__(self, scene: Scene, luck: Luck, diligence: float) -> None:
        self._scene, self._luck, self._diligence = scene, luck, diligence
        self._cases: dict[str, CaseOpened] = {}
        self._handed_over: dict[str, DeliveryHandedOver] = {}
        self._asked = 0
        self._forgets = FORGETFUL
        window = scene.window
        window.every(CaseOpened, self._case_opened)
        window.every(CaseDecided, lambda event: self._cases.pop(event.order_id, None))
        window.every(DeliveryHandedOver, self._delivery_handed_over)
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
        return not self._cases and not self._handed_over

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
