"""EvidenceSettled: what partners say about money is booked and settled, or shown to a person."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeAlias

from shared.contracts.fulfillment import (
    SupplierClaimWon,
    SupplierStatementRecorded,
    SupplierStatementSettled,
    statement_id,
)
from shared.contracts.gateway import StatementUnread, UnreadSettled
from shared.contracts.inventory import KeysSupplied
from shared.contracts.ledger import (
    SHARED_REFERENCE,
    CallbackRefused,
    FundsRefunded,
    PaymentReceived,
    PaymentReturned,
    PaymentUnmatched,
    Posting,
    ReturnedByHand,
    ReturnFailed,
    ReturnRequested,
    SupplierBillPosted,
    SupplierClaimCredited,
    SupplierClaimMoved,
    UnmatchedSettled,
)
from shared.contracts.notification import MessageQueued
from shared.contracts.order import RefundRecorded
from shared.laws.compact import Marks
from shared.laws.law import Handlers, Law

Sums: TypeAlias = Mapping[str, Mapping[str, int]]
# How soon staff must have a message about evidence, in a running system.
DEADLINE = timedelta(hours=1)
# How long a return may be under way: the channel is asked for less than four hours, then staff get a message.
RETURN_DEADLINE = timedelta(hours=6)
# The messages that show evidence to staff, and their parameters that name it.
SHOWING: Mapping[str, tuple[str, ...]] = {
    "payment-unmatched": ("item",),
    "return-failed": ("payment", "return_id"),
    "supplier-statement": ("statement",),
    "statement-unread": ("kind", "partner"),
    "keys-supplied": ("sku", "delivery"),
}


@dataclass(frozen=True, slots=True)
class _Open:
    what: str
    since: datetime | None
    shown_as: str = ""
    deadline: timedelta = DEADLINE


class EvidenceSettled(Law):
    """What channels and suppliers say about money is booked once. What fits no payment or purchase is settled, or shown
    to staff.

    A requested return ends. One that failed is paid later, by the channel or a person, or shown to staff. An order says
    that it is refunded only when the money is back. What a supplier's statement adds, or a person's decision on it
    moves, is in the books. Staff get a message about each statement that can't be read, and about keys of the stock
    that a supplier sent too.
    """

    name = "EvidenceSettled"

    def __init__(self) -> None:
        super().__init__()
        self._open: dict[str, _Open] = {}
        self._unbooked: dict[str, _Open] = {}
        self._shown_to_staff: set[str] = set()
        self._booked, self._items = Marks(), Marks()
        self._collected: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
        self._returned: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
        self._references: dict[str, str] = {}
        self._corrected: set[str] = set()
        self._said: dict[str, _Open] = {}
        self._on_its_way: dict[str, _Open] = {}
        self._back = Marks()
        self._moves: dict[str, _Open] = {}
        self._moved_early: set[str] = set()
        self._by_hand: set[tuple[str, str]] = set()
        self._now: datetime | None = None

    def handlers(self) -> Handlers:
        return {
            PaymentReceived: self._received,
            PaymentUnmatched: self._unmatched,
            UnmatchedSettled: self._settled,
            CallbackRefused: self._refused,
            ReturnRequested: self._asked_back,
            ReturnFailed: self._return_failed,
            PaymentReturned: self._paid_back,
            ReturnedByHand: self._paid_by_hand,
            RefundRecorded: self._said_refunded,
            FundsRefunded: self._into_wallet,
            MessageQueued: self._queued,
            SupplierStatementRecorded: self._stated,
            SupplierStatementSettled: self._statement_settled,
            SupplierClaimWon: self._claim_won,
            StatementUnread: self._unread,
            UnreadSettled: lambda event: self.closed(event.statement_id),
            KeysSupplied: self._doubled,
            SupplierBillPosted: lambda event: self._in_the_books(event.bill_id),
            SupplierClaimMoved: lambda event: self._in_the_books(f"{event.bill_id} as {event.decision}"),
            SupplierClaimCredited: lambda event: self._in_the_books(f"{event.bill_id} as won"),
        }

    @property
    def collected(self) -> Sums:
        """What the books say that channels collected, by payment and currency, in minor units."""
        return self._collected

    @property
    def returned(self) -> Sums:
        """What the books say that channels paid back, by payment and return id, in minor units."""
        return self._returned

    def is_with_people(self, payment_id: str, return_id: str) -> bool:
        """Whether a person has ended this return, or has to."""
        return (payment_id, return_id) in self._by_hand or f"{payment_id} {return_id}" in self._open

    def unfinished(self) -> Iterator[str]:
        for _, evidence in self._alone():
            yield evidence.what

    def overdue(self) -> Iterator[str]:
        for _, evidence in self._alone():
            if self._now and evidence.since and self._now - evidence.since > evidence.deadline:
                yield evidence.what

    def _alone(self) -> Iterator[tuple[str, _Open]]:
        """The evidence that nobody has taken on."""
        yield from self._unbooked.items()
        yield from self._said.items()
        yield from self._moves.items()
        yield from self._on_its_way.items()
        yield from ((name, it) for name, it in self._open.items() if it.shown_as not in self._shown_to_staff)

    # Evidence of any kind

    def opened(self, name: str, what: str, shown_as: str = "") -> None:
        """Open evidence that a person must settle. `shown_as` (default: its name) is its name in the message to
        staff."""
        self._open[name] = _Open(what, self._time(), shown_as or name)

    def closed(self, name: str) -> None:
        """Close evidence that is settled, if it is open."""
        self._time()
        self._open.pop(name, None)

    def _time(self) -> datetime | None:
        at = self._at.at if self._at else None
        if at is not None and (self._now is None or self._now < at):
            self._now = at
        return at

    def _queued(self, event: MessageQueued) -> None:
        self._time()
        names = SHOWING.get(event.template, ())
        if names and all(name in event.params for name in names):
            self._shown_to_staff.add(" ".join(str(event.params[name]) for name in names))

    # Statements of payment channels

    def _received(self, event: PaymentReceived) -> None:
        self.checked += 1
        self._time()
        self._book(_reference(event.payment_id, event.channel, event.channel_ref))
        self._moved(event.payment_id, event.postings)

    def _unmatched(self, event: PaymentUnmatched) -> None:
        self.checked += 1
        if not self._items.add(event.item):
            self.broken(f"{event.item} of payment {event.payment_id} was opened twice")
        reference = _reference(event.payment_id, event.channel, event.channel_ref)
        if event.reason == SHARED_REFERENCE:  # two payments of the channel have one name: each is booked by its own
            reference = f"{event.payment_id} {reference}"
        if event.postings and not self._book(reference):
            self.broken(f"{event.channel_ref} of {event.channel} was booked twice, now for {event.payment_id}")
        self._references[event.item] = reference.partition(" ")[2]
        self._moved(event.payment_id, event.postings)
        self.opened(event.item, f"{event.amount} of payment {event.payment_id} waits, and staff do not know")

    def _settled(self, event: UnmatchedSettled) -> None:
        if event.item not in self._items:
            self.broken(f"{event.item} of payment {event.payment_id} was settled and never opened")
        reference = self._references.pop(event.item, "")
        if event.how == "corrected":
            self._corrected.add(reference)
        self.closed(event.item)
        self._moved(event.payment_id, event.postings)

    def _refused(self, event: CallbackRefused) -> None:
        """A statement that moved nothing must be about booked money, or the channel denies it when it is asked."""
        if event.reason == "failed":
            self._denied(event.payment_id)
            return
        if event.amount is None or event.amount.amount == 0:
            return
        self.checked += 1
        owner = event.reference_of or event.payment_id
        reference = _reference(owner, event.channel, event.channel_ref)
        if reference.partition(" ")[2] not in self._booked:
            what = f"{event.amount} that {event.channel} reported for payment {owner} is not in the books"
            self._unbooked[reference] = _Open(what, self._time())

    def _denied(self, payment_id: str) -> None:
        for reference in [it for it in self._unbooked if it.startswith(f"{payment_id} ")]:
            del self._unbooked[reference]

    def _book(self, reference: str) -> bool:
        """Whether the reference was not booked before."""
        self._unbooked.pop(reference, None)
        name = reference.partition(" ")[2]
        if name in self._corrected:
            self._corrected.discard(name)
            return True
        return self._booked.add(name)

    def _moved(self, payment_id: str, postings: Iterable[Posting]) -> None:
        for posting in postings:
            if posting.account.startswith("channel:"):
                self._collected[payment_id][posting.amount.currency] += posting.amount.amount

    # Returns

    def _asked_back(self, event: ReturnRequested) -> None:
        name = f"{event.payment_id} {event.return_id}"
        self.closed(name)
        asked = f"{event.amount} of payment {event.payment_id}, asked back as {event.return_id}"
        self._on_its_way[name] = _Open(f"nobody knows what became of {asked}", self._time(), deadline=RETURN_DEADLINE)

    def _return_failed(self, event: ReturnFailed) -> None:
        self.checked += 1
        self._on_its_way.pop(f"{event.payment_id} {event.return_id}", None)
        if event.paid is not None:
            self._returned[event.payment_id][event.return_id] += event.paid.amount
        self.opened(
            f"{event.payment_id} {event.return_id}",
            f"{event.amount} of payment {event.payment_id} did not go back as {event.return_id}, and staff do not know",
        )

    def _paid_back(self, event: PaymentReturned) -> None:
        self._returned[event.payment_id][event.return_id] += event.amount.amount
        self._went_back(f"{event.payment_id} {event.return_id}")

    def _paid_by_hand(self, event: ReturnedByHand) -> None:
        self._by_hand.add((event.payment_id, event.return_id))
        self._went_back(f"{event.payment_id} {event.return_id}")

    def _into_wallet(self, event: FundsRefunded) -> None:
        if event.account.startswith("wallet:"):
            self._went_back(f"{event.order_id} {event.refund_id}")

    def _went_back(self, name: str) -> None:
        self._back.add(name)
        self._on_its_way.pop(name, None)
        self._said.pop(name, None)
        self.closed(name)

    def _said_refunded(self, event: RefundRecorded) -> None:
        """An order must say that money is back only when it is."""
        if (name := f"{event.order_id} {event.refund_id}") not in self._back:
            what = f"{event.order_id} says that {event.amount} is refunded as {event.refund_id}, and nothing went back"
            self._said[name] = _Open(what, self._time())

    # Statements that can't be read

    def _unread(self, event: StatementUnread) -> None:
        self.checked += 1
        what = f"what {event.kind} {event.partner} sent as {event.statement_id} can't be read, and staff do not know"
        self.opened(event.statement_id, what, shown_as=f"{event.kind} {event.partner}")

    # Statements of suppliers

    def _stated(self, event: SupplierStatementRecorded) -> None:
        self.checked += 1
        name = statement_id(event.delivery_id, event.statement)
        if event.finding == "agrees":
            self._time()
        else:
            self.opened(name, f"{event.supplier} said of {event.delivery_id} what does not fit, and staff do not know")
        if event.bill is not None:
            self._must_be_booked(name, f"the bill {name} of {event.supplier} is not in the books")

    def _statement_settled(self, event: SupplierStatementSettled) -> None:
        name = statement_id(event.delivery_id, event.statement)
        self.closed(name)
        if event.bill is not None:
            self._must_be_booked(name, f"the bill {name} of {event.supplier} is not in the books")
        if event.moved is not None:
            what = f"{name} was settled as a {event.decision}, and the books do not say so"
            self._must_be_booked(f"{name} as {event.decision}", what)

    def _claim_won(self, event: SupplierClaimWon) -> None:
        name = statement_id(event.delivery_id, event.statement)
        self.closed(name)
        if event.amount is not None:
            self._must_be_booked(f"{name} as won", f"the claim {name} was won, and the books do not say so")

    def _doubled(self, event: KeysSupplied) -> None:
        self.checked += 1
        what = f"{event.supplier} sent keys of {event.sku} that are ours for {event.delivery_id}, and staff do not know"
        self.opened(f"{event.sku} {event.delivery_id}", what)

    def _must_be_booked(self, name: str, what: str) -> None:
        """Expect a booking in the ledger's log, which may have been read before this event."""
        if name in self._moved_early:
            self._moved_early.discard(name)
        else:
            self._moves[name] = _Open(what, self._time())

    def _in_the_books(self, name: str) -> None:
        self._time()
        if self._moves.pop(name, None) is None:
            self._moved_early.add(name)


def _reference(payment_id: str, channel: str, channel_ref: str) -> str:
    return f"{payment_id} {channel} {channel_ref or payment_id}"
