"""What is counted of what a service commits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry
from sqlalchemy.exc import OperationalError

from services import all_services
from shared.contracts import Event, Money
from shared.contracts.fulfillment import RecordPurchase
from shared.contracts.ledger import FundsCaptured
from shared.contracts.order import OrderCancelled, OrderCompleted, PaymentRecorded
from shared.contracts.risk import OrderScreened
from shared.eventstore.recorded import RecordedEvent
from shared.runtime.cluster.metrics import CallMetrics
from shared.runtime.service import Service
from shared.runtime.settings import Settings, SupplierSettings
from shared.scheduler.scheduler import DueCall
from shared.telemetry.event_counters import EventCounters
from shared.writer.inputs import CallDone
from tests.runtime.builders import META

DECLARED = {service.name: service for service in all_services()}
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
PRICE, NOTHING = Money(amount=990), Money(amount=0)


class Counting:
    """One service's counters, fed with events; `known` is when orders were paid before, None while nobody can say."""

    def __init__(self, service: str) -> None:
        self.registry = CollectorRegistry()
        self.known: Mapping[str, datetime] | None = {}
        self.asked: list[str] = []
        self._service = service
        self.happened = EventCounters(service, DECLARED[service].counters, self.registry, self._paid_at)

    def _paid_at(self, streams: Sequence[str], event: str) -> Mapping[str, datetime]:
        assert event == "PaymentRecorded"
        self.asked += streams
        if self.known is None:
            raise OperationalError("", {}, Exception())
        return self.known

    def commit(self, *events: Event, after: float = 0) -> None:
        at = NOON + timedelta(seconds=after)
        self.happened.committed(
            [RecordedEvent(self._service, 1, "order-1", 1, "e", one.type(), "", "", at, one) for one in events]
        )

    def value(self, name: str, **labels: str) -> float | None:
        return self.registry.get_sample_value(name, labels)


PAID = PaymentRecorded(order_id="1", amount=PRICE)
COMPLETED = OrderCompleted(order_id="1", customer=None, delivered=PRICE, undelivered=NOTHING, agent=None)
SHORT = OrderCompleted(order_id="1", customer=None, delivered=NOTHING, undelivered=PRICE, agent=None)


def cancelled(*, paid: bool) -> OrderCancelled:
    return OrderCancelled(order_id="1", customer=None, reason="short-stock", paid=paid, lines=())


def test_what_has_not_happened_counts_as_zero() -> None:
    counting = Counting("order")

    assert counting.value("kameng_order_steps_total", step="refunded") == 0
    assert counting.value("kameng_orders_cancelled_total", reason="no-answer") == 0
    assert counting.value("kameng_paid_order_seconds_count", outcome="short") == 0
    assert counting.value("kameng_events_total", service="order") == 0


def test_an_order_is_timed_from_its_payment_to_its_end() -> None:
    counting = Counting("order")

    counting.commit(PAID)
    counting.commit(COMPLETED, after=1.5)

    assert counting.value("kameng_paid_order_seconds_sum", outcome="delivered") == 1.5
    assert counting.value("kameng_order_steps_total", step="completed") == 1
    assert counting.value("kameng_events_total", service="order") == 2
    assert counting.asked == []


def test_paid_orders_are_counted_by_how_they_ended() -> None:
    counting = Counting("order")
    for ended in (SHORT, cancelled(paid=True)):
        counting.commit(PAID)
        counting.commit(ended, after=1)

    assert counting.value("kameng_paid_order_seconds_count", outcome="short") == 1
    assert counting.value("kameng_paid_order_seconds_count", outcome="cancelled") == 1
    assert counting.value("kameng_orders_cancelled_total", reason="short-stock") == 1


def test_an_order_that_was_never_paid_is_not_timed() -> None:
    counting = Counting("order")

    counting.commit(cancelled(paid=False))

    assert counting.value("kameng_paid_order_seconds_count", outcome="cancelled") == 0
    assert counting.asked == []


def test_an_order_paid_before_this_process_began_is_looked_up_once_it_can_be() -> None:
    counting = Counting("order")
    counting.known = None
    counting.commit(COMPLETED, after=30)
    assert counting.value("kameng_paid_order_seconds_count", outcome="delivered") == 0

    counting.known = {"order-1": NOON}

    assert counting.value("kameng_paid_order_seconds_sum", outcome="delivered") == 30
    assert counting.value("kameng_paid_order_seconds_count", outcome="delivered") == 1


def test_money_is_counted_by_flow_and_currency() -> None:
    counting = Counting("ledger")

    counting.commit(
        FundsCaptured(order_id="1", account="wallet:a", amount=PRICE, released=Money(amount=10), postings=())
    )

    assert counting.value("kameng_money_minor_units_total", flow="captured", currency="CNY") == 990
    assert counting.value("kameng_money_minor_units_total", flow="released", currency="CNY") == 10


def test_decisions_are_counted() -> None:
    counting = Counting("risk")
    screened = OrderScreened(
        order_id="1", customer=None, ip="", device="", targets=(), amount=PRICE, decision="review", reasons=()
    )

    counting.commit(screened, screened)

    assert counting.value("kameng_risk_decisions_total", decision="review") == 2
    assert counting.value("kameng_risk_decisions_total", decision="block") == 0


@pytest.mark.parametrize("service", DECLARED.values(), ids=DECLARED)
def test_a_service_counts_its_own_events_and_tells_zeros_of_those_it_counts(service: Service) -> None:
    counters = service.counters

    assert {event.owner for event in counters.by_event} <= {service.name}
    assert bool(counters.by_event) == bool(counters.zeros)


def test_calls_are_counted_by_partner_and_answer(tmp_path: Path) -> None:
    settings = Settings(var=tmp_path, suppliers={"north": SupplierSettings(url="http://n")})
    registry = CollectorRegistry()
    calls = CallMetrics(DECLARED["fulfillment"], settings, registry)
    due = DueCall("k", "t", "purchase", {"supplier": "north"}, 1, META)
    pending = RecordPurchase(delivery_id="d", supplier="north", outcome="pending")

    calls.measured(due, lambda: CallDone(due, pending))

    labels = {"service": "fulfillment", "effect": "purchase", "partner": "north"}
    assert registry.get_sample_value("kameng_calls_total", {**labels, "outcome": "pending"}) == 1
    assert registry.get_sample_value("kameng_calls_total", {**labels, "outcome": "done"}) == 0
