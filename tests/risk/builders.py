"""Orders to screen, and a screener over real tables."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event as sa_event

from services.risk.domain.screening import Known, Screening, decide_screening
from services.risk.projection import METADATA, RiskProjection
from shared.contracts import DecisionContext, Event, Metadata, Money
from shared.contracts.risk import Dimension, ListEntrySet, OrderScreened, ScreenOrder
from shared.eventstore.recorded import RecordedEvent
from tests.databases import in_memory

NOW = datetime(2026, 1, 1, 8, 0, tzinfo=UTC)
META = Metadata(correlation_id="flow-1", causation_id="order/1")


def order(
    order_id: str = "order-1",
    *,
    customer: str | None = "alice",
    ip: str = "203.0.113.7",
    device: str = "phone-1",
    targets: tuple[str, ...] = (),
    fen: int = 5_000,
    currency: str = "CNY",
) -> ScreenOrder:
    amount = Money(amount=fen, currency=currency)
    return ScreenOrder(order_id=order_id, customer=customer, ip=ip, device=device, targets=targets, amount=amount)


def given(facts: Known | Sequence[str] = Known(histories={}), now: datetime = NOW) -> DecisionContext:
    return DecisionContext(now=now, command_id="command-1", meta=META, facts=facts)


def entry(dimension: Dimension, value: str, **changes: Any) -> ListEntrySet:
    """An entry as a log holds it, whichever version of the program wrote it."""
    fields = {"list": "block", "reason": "fraud", "until": None, **changes}
    return ListEntrySet(entry=f"{dimension}:{value}", dimension=dimension, value=value, **fields)


class Screener:
    """Screens orders one after the other, folding every event into the tables, and counts the queries made."""

    def __init__(self) -> None:
        self.engine = in_memory()
        self.connection = self.engine.connect()
        METADATA.create_all(self.connection)
        self.projection, self.position, self.queries = RiskProjection(lambda: self.connection), 0, 0
        sa_event.listen(self.engine, "before_cursor_execute", self._count)

    def _count(self, *_: object) -> None:
        self.queries += 1

    def screen(self, command: ScreenOrder, seconds: float = 0) -> OrderScreened:
        """The order's screening, this long after the start."""
        now = NOW + timedelta(seconds=seconds)
        events = decide_screening(command, Screening(), given(self.projection.known(command), now))
        self.apply(events, now)
        screened = events[0]
        assert isinstance(screened, OrderScreened)
        return screened

    def apply(self, events: Sequence[Event], at: datetime = NOW) -> None:
        for event in events:
            self.position += 1
            stream = f"screening-{event.partition_key()}"
            recorded = RecordedEvent("risk", self.position, stream, 1, str(self.position), event.type(), "", "", at)
            self.projection.apply(event, recorded)

    def go_cold(self) -> None:
        """Write everything and forget what is in memory, as a restart does."""
        self.projection.flush()
        self.projection.forget()

    def rows(self, table: sa.Table) -> list[sa.RowMapping]:
        self.projection.flush()
        return list(self.connection.execute(sa.select(table)).mappings())
