"""Counts what a service has committed, event by event: each once, by the process that committed it."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeAlias, get_args

from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric as Family
from prometheus_client.registry import Collector
from sqlalchemy.exc import DBAPIError

from shared.contracts import Event, Money, fulfillment, inventory, ledger, notification, order, risk
from shared.eventstore.recorded import RecordedEvent
from shared.telemetry import metrics
from shared.telemetry.metric import Metric, Sample

Counted: TypeAlias = Callable[[Any], Iterable[Sample]]
PaidAt: TypeAlias = Callable[[Sequence[str]], Mapping[str, datetime]]
PAID = order.PaymentRecorded.__name__
MOST = 100_000


def _always(metric: Metric, *labels: str) -> Counted:
    figures = ((metric, labels, 1),)
    return lambda _: figures


def _money(flow: str, money: Money) -> Sample:
    return metrics.MONEY, (flow, money.currency), money.amount


COUNTS: Mapping[type[Event], Counted] = {
    order.OrderPlaced: _always(metrics.ORDER_STEPS, "placed"),
    order.PaymentRecorded: _always(metrics.ORDER_STEPS, "paid"),
    order.OrderConfirmed: _always(metrics.ORDER_STEPS, "confirmed"),
    order.OrderReopened: _always(metrics.ORDER_STEPS, "reopened"),
    order.OrderCompleted: _always(metrics.ORDER_STEPS, "completed"),
    order.OrderCancelled: lambda e: (
        (metrics.ORDER_STEPS, ("cancelled",), 1),
        (metrics.ORDERS_CANCELLED, (e.reason,), 1),
    ),
    order.RefundRecorded: _always(metrics.ORDER_STEPS, "refunded"),
    fulfillment.KeysDelivered: _always(metrics.DELIVERIES, "keys"),
    fulfillment.SupplierDelivered: _always(metrics.DELIVERIES, "supplier"),
    fulfillment.DeliveryResolved: _always(metrics.DELIVERIES, "manual"),
    fulfillment.DeliveryFailed: _always(metrics.DELIVERIES, "failed"),
    fulfillment.DeliveryHandedOver: _always(metrics.DELIVERIES, "handed-over"),
    inventory.KeysSupplied: lambda e: (
        (metrics.KEYS_SUPPLIED, ("sold",), len(e.sold)),
        (metrics.KEYS_SUPPLIED, ("unsold",), len(e.numbers) - len(e.sold)),
    ),
    risk.OrderScreened: lambda e: ((metrics.RISK_DECISIONS, (e.decision,), 1),),
    risk.CaseDecided: lambda e: ((metrics.RISK_CASES_DECIDED, (e.decision,), 1),),
    ledger.PaymentReceived: lambda e: (_money("received", e.amount),),
    ledger.PaymentReturned: lambda e: (_money("returned", e.amount),),
    ledger.FundsHeld: lambda e: (_money("held", e.amount),),
    ledger.HoldVoided: lambda e: (_money("released", e.amount),),
    ledger.FundsCaptured: lambda e: (_money("captured", e.amount), _money("released", e.released)),
    ledger.FundsRefunded: lambda e: (_money("refunded", e.amount),),
    notification.MessageQueued: _always(metrics.NOTIFICATIONS, "queued"),
    notification.MessageSent: _always(metrics.NOTIFICATIONS, "sent"),
    notification.MessageFailed: _always(metrics.NOTIFICATIONS, "failed"),
    notification.MessageGathered: _always(metrics.NOTIFICATIONS, "gathered"),
    notification.MessageWithheld: _always(metrics.NOTIFICATIONS, "withheld"),
}
# What has not happened yet is told as 0, or its first time would not show as a rise.
STEPS = ("placed", "paid", "confirmed", "reopened", "completed", "cancelled", "refunded")
HOWS = ("keys", "supplier", "manual", "failed", "handed-over")
FLOWS = ("received", "held", "captured", "released", "refunded", "returned")
OUTCOMES = ("delivered", "short", "cancelled")
CURRENCY = Money.model_fields["currency"].default
ZEROS: Mapping[str, Mapping[Metric, Iterable[tuple[str, ...]]]] = {
    "order": {
        metrics.ORDER_STEPS: [(step,) for step in STEPS],
        metrics.ORDERS_CANCELLED: [(reason,) for reason in get_args(order.CancelReason)],
    },
    "fulfillment": {metrics.DELIVERIES: [(how,) for how in HOWS]},
    "inventory": {metrics.KEYS_SUPPLIED: [("sold",), ("unsold",)]},
    "ledger": {metrics.MONEY: [(flow, CURRENCY) for flow in FLOWS]},
    "risk": {
        metrics.RISK_DECISIONS: [(decision,) for decision in get_args(risk.Decision)],
        metrics.RISK_CASES_DECIDED: [("pass",), ("block",)],
    },
    "notification": {metrics.NOTIFICATIONS: [("queued",), ("sent",), ("failed",)]},
}


class EventCounters(Collector):
    """What one service's events add up to since this process started.

    `paid_at` finds when these orders' streams were paid; it is asked at scrapes, and only for orders that were paid
    before this process began to write. When it raises DBAPIError, it is asked again at the next one.
    """

    def __init__(self, service: str, registry: CollectorRegistry, paid_at: PaidAt) -> None:
        registry.register(self)  # first: it adds to the histogram when it is asked
        self._service, self._paid_at = service, paid_at
        self._events = 0
        self._values: dict[Metric, dict[tuple[str, ...], float]] = {
            metric: defaultdict(float, dict.fromkeys(labels, 0.0)) for metric, labels in ZEROS.get(service, {}).items()
        }
        self._counts = {event.__name__: count for event, count in COUNTS.items() if event.owner == service}
        self._sales = _Sales(registry) if service == "order" else None

    def committed(self, events: Sequence[RecordedEvent]) -> None:
        """These were committed just now."""
        self._events += len(events)
        for recorded in events:
            count = self._counts.get(recorded.name)
            if count is None:
                continue
            for metric, labels, by in count(recorded.event):
                self._values[metric][tuple(labels)] += by
            if self._sales is not None:
                self._sales.take(recorded)

    def collect(self) -> Iterator[Family]:
        if self._sales is not None:
            self._sales.resolve(self._paid_at)
        yield metrics.EVENTS.family({(self._service,): self._events})
        for metric, values in self._values.items():
            yield metric.family(values)

    def describe(self) -> Iterator[Family]:
        return iter(())


class _Sales:
    """The time from payment to the end of each paid order."""

    def __init__(self, registry: CollectorRegistry) -> None:
        histogram = metrics.PAID_ORDER_SECONDS.histogram(registry)
        self._observe = {outcome: histogram.labels(outcome).observe for outcome in OUTCOMES}
        self._paid: dict[str, datetime] = {}
        self._unknown: deque[tuple[str, datetime, str]] = deque(maxlen=MOST)

    def take(self, recorded: RecordedEvent) -> None:
        match recorded.event:
            case order.PaymentRecorded():
                if len(self._paid) >= MOST:
                    self._paid.pop(next(iter(self._paid)))  # it is looked up when its order ends
                self._paid[recorded.stream] = recorded.at
            case order.OrderCompleted(undelivered=undelivered):
                self._end(recorded, "short" if undelivered.amount else "delivered")
            case order.OrderCancelled(paid=True):
                self._end(recorded, "cancelled")
            case _:
                pass

    def _end(self, recorded: RecordedEvent, outcome: str) -> None:
        paid_at = self._paid.pop(recorded.stream, None)
        if paid_at is None:
            self._unknown.append((recorded.stream, recorded.at, outcome))
        else:
            self._observe[outcome]((recorded.at - paid_at).total_seconds())

    def resolve(self, paid_at: PaidAt) -> None:
        """Look up when those were paid that were paid before our time."""
        ended = [self._unknown.popleft() for _ in range(len(self._unknown))]
        if not ended:
            return
        try:
            known = paid_at([stream for stream, _, _ in ended])
        except DBAPIError:
            self._unknown.extendleft(reversed(ended))
            return
        for stream, at, outcome in ended:
            if stream in known:
                self._observe[outcome]((at - known[stream]).total_seconds())
