"""What fulfillment's tables tell Prometheus."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import sqlalchemy as sa

from services.fulfillment.domain.routing import Health
from services.fulfillment.tables import FulfillmentTables
from shared.runtime.settings import Settings
from shared.telemetry import metrics
from shared.telemetry.metric import Sample


def figures(connection: sa.Connection, now: datetime, settings: Settings) -> Iterator[Sample]:
    """How the configured suppliers are doing, as the routing sees them."""
    known = FulfillmentTables(lambda: connection).health(settings.suppliers)
    for supplier in settings.suppliers:
        health = known.get(supplier, Health())
        yield metrics.SUPPLIER_FAILURES, (supplier,), health.failures
        yield metrics.SUPPLIER_TRIPPED, (supplier,), health.tripped(now)
