"""LinksClosed: no payment link takes money for an order that has ended."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from shared.contracts.ledger import PaymentClosed, PaymentClosing, PaymentNotClosed, PaymentReceived, PaymentRequested
from shared.contracts.notification import MessageQueued
from shared.contracts.order import OrderCancelled
from shared.laws.compact import Marks
from shared.laws.finding import SHOWN, Finding
from shared.laws.law import Handlers, Law

# A channel is asked for about two hours before its "no" is final.
DEADLINE = timedelta(hours=4)
TEMPLATE = "payment-not-closed"
_REQUESTED, _CLOSING, _RECEIVED = 1, 2, 4


class LinksClosed(Law):
    """A request to close a payment ends: the payment is closed, it is paid after all, or staff are shown that it is
    open.

    `unasked` are cancelled orders whose payment nobody asked to close. Earlier versions did not ask, so check it only
    when all events are of this version.
    """

    name = "LinksClosed"

    def __init__(self) -> None:
        super().__init__()
        self._payments = Marks()
        self._cancelled: dict[str, None] = {}
        self._closing: dict[str, datetime | None] = {}
        self._open: dict[str, datetime | None] = {}
        self._shown_to_staff: set[str] = set()
        self._now: datetime | None = None

    def handlers(self) -> Handlers:
        return {
            OrderCancelled: self._ended,
            PaymentRequested: self._requested,
            PaymentReceived: self._received,
            PaymentClosing: self._asked,
            PaymentClosed: self._closed,
            PaymentNotClosed: self._not_closed,
            MessageQueued: self._queued,
        }

    def unfinished(self) -> Iterator[str]:
        """A channel may be asked for hours, long after all orders have ended."""
        return self.overdue()

    def unclosed(self) -> Iterator[str]:
        """What is broken once nothing is planned any more: payments neither closed nor shown to staff."""
        for payment_id, _ in self._alone():
            yield f"payment {payment_id} is to be closed, and neither is nor do staff know"

    def overdue(self) -> Iterator[str]:
        for payment_id, since in self._alone():
            if self._now and since and self._now - since > DEADLINE:
                yield f"payment {payment_id} is to be closed for hours, and neither is nor do staff know"

    def unasked(self) -> Iterator[str]:
        """A sentence for each order that ended unpaid and whose payment was not asked to be closed."""
        for order_id in self._cancelled:
            if self._payments.get(order_id) == _REQUESTED:
                yield f"order {order_id} ended unpaid, and its payment can still be made"

    def _alone(self) -> Iterator[tuple[str, datetime | None]]:
        yield from self._closing.items()
        yield from ((name, since) for name, since in self._open.items() if name not in self._shown_to_staff)

    def _time(self) -> datetime | None:
        at = self._at.at if self._at else None
        if at is not None and (self._now is None or self._now < at):
            self._now = at
        return at

    def _mark(self, payment_id: str, what: int) -> None:
        known = self._payments.get(payment_id)
        if known is None:
            self._payments.add(payment_id, what)
        elif not known & what:
            self._payments.change(payment_id, what)

    def _ended(self, event: OrderCancelled) -> None:
        if not event.paid and not (self._payments.get(event.order_id) or 0) & (_CLOSING | _RECEIVED):
            self._cancelled[event.order_id] = None

    def _requested(self, event: PaymentRequested) -> None:
        self._mark(event.payment_id, _REQUESTED)

    def _received(self, event: PaymentReceived) -> None:
        self._time()
        self._mark(event.payment_id, _RECEIVED)
        self._done(event.payment_id)

    def _asked(self, event: PaymentClosing) -> None:
        self.checked += 1
        self._mark(event.payment_id, _CLOSING)
        self._done(event.payment_id)
        self._closing[event.payment_id] = self._time()

    def _closed(self, event: PaymentClosed) -> None:
        self._time()
        if not (self._payments.get(event.payment_id) or 0) & _CLOSING:
            self.broken(f"payment {event.payment_id} was closed, and nobody had asked for it")
        self._done(event.payment_id)

    def _not_closed(self, event: PaymentNotClosed) -> None:
        at = self._time()
        self._done(event.payment_id)
        if event.paid is None:
            self._open[event.payment_id] = at

    def _done(self, payment_id: str) -> None:
        self._cancelled.pop(payment_id, None)
        self._closing.pop(payment_id, None)
        self._open.pop(payment_id, None)

    def _queued(self, event: MessageQueued) -> None:
        if event.template == TEMPLATE:
            self._shown_to_staff.add(str(event.params["payment"]))


def links_closed(law: LinksClosed) -> Finding:
    """LinksClosed, for a run at rest in which all events are of this version: every order that ended unpaid had its
    payment closed, and staff have a message about each that was not."""
    left = [*law.unasked(), *law.unclosed()]
    return Finding(law.name, law.checked, len(left), tuple(left[:SHOWN]))
