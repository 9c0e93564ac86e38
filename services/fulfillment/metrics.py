"""Prometheus metrics of deliveries and suppliers."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import sqlalchemy as sa

from services.fulfillment.domain.routing import Health
from services.fulfillment.projection import FulfillmentProjection
from shared.contracts.fulfillment import (
    DeliveryFailed,
    DeliveryHandedOver,
    DeliveryResolved,
    KeysDelivered,
    SupplierDelivered,
)
from shared.runtime.settings import Settings
from shared.telemetry.event_counters import Counters, always
from shared.telemetry.metric import Sample, Section

HAPPENED = Section("Business: events")
DELIVERIES = HAPPENED.metric(
    "deliveries_total",
    "counter",
    "lines",
    "how",
    "Order lines that ended (keys, supplier, manual, failed), or were handed over to a person (handed-over).",
)

STANDING = Section("Business: current state")
SUPPLIER_FAILURES = STANDING.metric(
    "supplier_failures", "gauge", "purchases", "supplier", "Failures in a row since a supplier's last success."
)
SUPPLIER_TRIPPED = STANDING.metric(
    "supplier_tripped", "gauge", "0 or 1", "supplier", "Whether it failed so often and recently that it is asked last."
)

COUNTERS = Counters(
    by_event={
        KeysDelivered: always(DELIVERIES, "keys"),
        SupplierDelivered: always(DELIVERIES, "supplier"),
        DeliveryResolved: always(DELIVERIES, "manual"),
        DeliveryFailed: always(DELIVERIES, "failed"),
        DeliveryHandedOver: always(DELIVERIES, "handed-over"),
    },
    zeros={DELIVERIES: [(how,) for how in ("keys", "supplier", "manual", "failed", "handed-over")]},
)


def gauges(connection: sa.Connection, now: datetime, settings: Settings) -> Iterator[Sample]:
    """The health of the configured suppliers, as the routing uses it."""
    known = FulfillmentProjection(lambda: connection).health(settings.suppliers)
    for supplier in settings.suppliers:
        health = known.get(supplier, Health())
        yield SUPPLIER_FAILURES, (supplier,), health.failures
        yield SUPPLIER_TRIPPED, (supplier,), health.tripped(now)
