"""PaidTerminal: a paid order is delivered or refunded, to the last minor unit."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from shared.contracts.fulfillment import DeliveryFailed, DeliveryResolved, KeysDelivered, SupplierDelivered
from shared.contracts.ledger import (
    FundsCaptured,
    FundsHeld,
    FundsRefunded,
    HoldVoided,
    PaymentReceived,
    PaymentReturned,
    ReturnedByHand,
    ReturnFailed,
    UnmatchedSettled,
)
from shared.contracts.order import (
    DeliveryRecorded,
    LatePaymentDeclined,
    OrderCancelled,
    OrderCompleted,
    RefundApproved,
)
from shared.laws.compact import Marks, Pairs
from shared.laws.law import Handlers, Law


@dataclass(slots=True)
class _Paid:
    """An order's money: what was held, how the order ended and how much of it was delivered, how the hold ended."""

    held: int | None = None
    ended: str = ""
    delivered: int = 0
    freed: int | None = None
    captured: int = 0

    @property
    def is_over(self) -> bool:
        return self.held is not None and bool(self.ended) and self.freed is not None


class PaidTerminal(Law):
    """An order whose money was held ends once: the price of delivered lines is captured, the rest is freed or returned.

    The order's deliveries equal those of fulfillment; each approved refund is paid once.
    """

    name = "PaidTerminal"

    def __init__(self) -> None:
        super().__init__()
        self._open: dict[str, _Paid] = defaultdict(_Paid)
        self._over = Marks()
        self._lines: Pairs[bool] = Pairs()
        self._refunds: Pairs[int] = Pairs()
        self._straight: dict[str, int] = defaultdict(int)
        self._with_people: set[str] = set()

    def handlers(self) -> Handlers:
        return {
            FundsHeld: self._held,
            FundsCaptured: self._captured,
            HoldVoided: lambda event: self._freed(event.order_id, 0, event.amount.amount),
            OrderCompleted: lambda event: self._ended(event.order_id, "completed", event.delivered.amount),
            OrderCancelled: self._cancelled,
            LatePaymentDeclined: lambda event: self._ended(event.order_id, "declined"),
            DeliveryRecorded: self._recorded,
            KeysDelivered: lambda event: self._line("fulfillment", event.delivery_id, delivered=True),
            SupplierDelivered: lambda event: self._line("fulfillment", event.delivery_id, delivered=True),
            DeliveryResolved: lambda event: self._line("fulfillment", event.delivery_id, delivered=True),
            DeliveryFailed: lambda event: self._line("fulfillment", event.delivery_id, delivered=False),
            RefundApproved: lambda event: self._refund("order", event),
            FundsRefunded: self._refunded,
            PaymentReceived: self._moved,
            PaymentReturned: self._moved,
            ReturnedByHand: self._moved,
            UnmatchedSettled: self._moved,
            ReturnFailed: self._return_failed,
        }

    def unfinished(self) -> Iterator[str]:
        for order_id, paid in self._open.items():
            if paid.held is None:
                yield f"{order_id} is {paid.ended or 'settled'} and its money was never held"
            else:
                yield f"{order_id} is paid and not {'settled' if paid.ended else 'ended'}"
        for side, line in self._lines.alone():
            yield f"{line} has ended, as only {side} says"
        for side, refund in self._refunds.alone():
            yield f"refund {refund} is known to {side} only"
        for account in self._straight.keys() - self._with_people:
            yield f"money is left on {account}"

    # How an order and its hold ended

    def _held(self, event: FundsHeld) -> None:
        self.checked += 1
        if (paid := self._of(event.order_id)) is None or paid.held is not None:
            self.broken(f"{event.order_id} was held twice")
            return
        paid.held = event.amount.amount
        self._close(event.order_id, paid)

    def _cancelled(self, event: OrderCancelled) -> None:
        """A cancellation before the money came is not the end: the money is still answered when it comes."""
        if event.paid:
            self._ended(event.order_id, "cancelled")

    def _ended(self, order_id: str, how: str, delivered: int = 0) -> None:
        if (paid := self._of(order_id)) is None or paid.ended:
            self.broken(f"{order_id} was {how} after it had ended")
            return
        paid.ended, paid.delivered = how, delivered
        self._close(order_id, paid)

    def _captured(self, event: FundsCaptured) -> None:
        self._freed(event.order_id, event.amount.amount, event.released.amount)
        self._moved(event)

    def _freed(self, order_id: str, captured: int, freed: int) -> None:
        if (paid := self._of(order_id)) is None or paid.freed is not None:
            self.broken(f"the hold of {order_id} ended twice")
            return
        paid.captured, paid.freed = captured, freed
        self._close(order_id, paid)

    def _of(self, order_id: str) -> _Paid | None:
        """What is known of an order that has not ended."""
        return None if order_id in self._over else self._open[order_id]

    def _close(self, order_id: str, paid: _Paid) -> None:
        if not paid.is_over:
            return
        if paid.captured != paid.delivered:
            self.broken(f"{order_id} was {paid.ended}: {paid.delivered} delivered and {paid.captured} captured")
        if paid.captured + (paid.freed or 0) != paid.held:
            self.broken(f"{order_id}: {paid.held} held, {paid.captured} captured, {paid.freed} freed")
        del self._open[order_id]
        self._over.add(order_id)

    # What two logs must agree on

    def _recorded(self, event: DeliveryRecorded) -> None:
        self._line("order", f"{event.order_id}/{event.line}", delivered=event.delivered)

    def _line(self, side: str, line: str, *, delivered: bool) -> None:
        met = self._lines.stated(side, line, delivered)
        if met == "twice":
            self.broken(f"{line} ended twice, as {side} says")
        elif met == "differs":
            ended = "delivered" if delivered else "failed"
            self.broken(f"{line} was {ended} as {side} says, and not as the other log says")

    def _refund(self, side: str, event: RefundApproved | FundsRefunded) -> None:
        refund = f"{event.order_id} {event.refund_id}"
        met = self._refunds.stated(side, refund, event.amount.amount)
        if met == "twice":
            self.broken(f"refund {refund} was made twice by {side}")
        elif met == "differs":
            self.broken(f"refund {refund} was of another amount: {event.amount.amount} in {side}")

    # Money paid straight for an order leaves its account again

    def _refunded(self, event: FundsRefunded) -> None:
        self._refund("ledger", event)
        self._moved(event)

    def _return_failed(self, event: ReturnFailed) -> None:
        self._with_people.add(f"order:{event.payment_id}")
        self._moved(event)

    def _moved(
        self,
        event: PaymentReceived
        | PaymentReturned
        | ReturnedByHand
        | ReturnFailed
        | UnmatchedSettled
        | FundsCaptured
        | FundsRefunded,
    ) -> None:
        for posting in event.postings:
            if posting.account.startswith("order:"):
                self._straight[posting.account] += posting.amount.amount
                if not self._straight[posting.account]:
                    del self._straight[posting.account]
