"""A small service, as its files: what a new one takes."""

from __future__ import annotations

NAME = "loyalty"
FILES = {
    "shared/contracts/loyalty.py": '''\
"""Points that customers earn."""

from __future__ import annotations

from typing import Annotated

from shared.contracts.base import Command, Doc, Event, Id
from shared.contracts.fields import OrderId

AGGREGATES = {"customer": "account"}
Points = Annotated[int, Doc("How many points.", 98)]
Owner = Annotated[Id, Doc("The customer who earns them.", "ann")]


class AwardPoints(Command, key="customer"):
    """Award the points of a delivered order."""

    customer: Owner
    order_id: OrderId
    points: Points


class PointsAwarded(Event, key="customer"):
    """A customer has earned points."""

    customer: Owner
    order_id: OrderId
    points: Points
''',
    "services/loyalty/__init__.py": '''\
"""Points: a customer earns one for each whole yuan delivered."""
''',
    "services/loyalty/domain.py": '''\
"""An account of points."""

from __future__ import annotations

from dataclasses import dataclass

from shared.contracts import DecisionContext, Event, replace
from shared.contracts.loyalty import AwardPoints, PointsAwarded


@dataclass(frozen=True)
class Account:
    """What a customer has, and for which orders."""

    points: int = 0
    orders: tuple[str, ...] = ()


def decide(command: AwardPoints, state: Account, given: DecisionContext) -> list[Event]:
    if command.order_id in state.orders:
        return []
    return [PointsAwarded(customer=command.customer, order_id=command.order_id, points=command.points)]


def evolve(state: Account, event: Event) -> Account:
    if isinstance(event, PointsAwarded):
        return replace(state, points=state.points + event.points, orders=(*state.orders, event.order_id))
    return state
''',
    "services/loyalty/reactions.py": '''\
"""Points for delivered orders."""

from __future__ import annotations

from collections.abc import Mapping

from shared.contracts import Command, Event, Reaction
from shared.contracts.loyalty import AwardPoints
from shared.contracts.order import OrderCompleted


def on_order_completed(event: OrderCompleted) -> list[Command]:
    """One point for each whole yuan."""
    if event.customer is None:
        return []
    return [AwardPoints(customer=event.customer, order_id=event.order_id, points=event.delivered.amount // 100)]


REACTIONS: Mapping[type[Event], Reaction] = {OrderCompleted: on_order_completed}
''',
    "services/loyalty/projection.py": '''\
"""Points by customer."""

from __future__ import annotations

from collections.abc import Callable

import sqlalchemy as sa

from shared.contracts import Event
from shared.contracts.loyalty import PointsAwarded
from shared.eventstore.recorded import RecordedEvent
from shared.projections.projection import Projection

METADATA = sa.MetaData()
POINTS = sa.Table(
    "points",
    METADATA,
    sa.Column("customer", sa.Text, primary_key=True),
    sa.Column("points", sa.BigInteger, nullable=False),
)


class PointsProjection(Projection):
    """What each customer has."""

    metadata = METADATA

    def __init__(self, connection: Callable[[], sa.Connection]) -> None:
        super().__init__(connection)
        self._points = self.rows(POINTS)

    def apply(self, event: Event, recorded: RecordedEvent) -> None:
        if isinstance(event, PointsAwarded):
            row = self._points.get(event.customer)
            self._points.put({"customer": event.customer, "points": (row["points"] if row else 0) + event.points})
''',
    "services/loyalty/metrics.py": '''\
"""What Prometheus is told of points."""

from __future__ import annotations

from shared.contracts.loyalty import PointsAwarded
from shared.telemetry.event_counters import Counters
from shared.telemetry.metric import Section

HAPPENED = Section("Business: events")
POINTS = HAPPENED.metric("points_awarded_total", "counter", "points", "", "Points that customers earned.")

COUNTERS = Counters(by_event={PointsAwarded: lambda e: ((POINTS, (), e.points),)}, zeros={POINTS: [()]})
''',
    "services/loyalty/service.py": '''\
"""The declaration of loyalty."""

from __future__ import annotations

from pathlib import Path

from services.loyalty.domain import Account, decide, evolve
from services.loyalty.metrics import COUNTERS
from services.loyalty.projection import PointsProjection
from services.loyalty.reactions import REACTIONS
from shared.contracts.loyalty import AwardPoints
from shared.runtime.service import Aggregate, Service

SERVICE = Service(
    name="loyalty",
    aggregates=(Aggregate(name="account", initial=Account, decide=decide, evolve=evolve, commands=(AwardPoints,)),),
    projection=PointsProjection,
    reactions=REACTIONS,
    counters=COUNTERS,
    migrations=Path(__file__).with_name("migrations"),
)
''',
    "services/loyalty/migrations/0001_first.py": '''\
"""The tables of loyalty."""

import sqlalchemy as sa
from alembic import op

revision = "loyalty_0001"
down_revision = None
branch_labels = ("loyalty",)
depends_on = None


def upgrade() -> None:
    op.create_table(
        "points",
        sa.Column("customer", sa.Text(), nullable=False),
        sa.Column("points", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("customer"),
    )
''',
    "tests/loyalty/__init__.py": """\
""",
    "tests/loyalty/test_service.py": '''\
"""Points in the whole shop, in one process."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa

from services import all_services
from services.loyalty.projection import POINTS
from tests.bench.goods import order, stocking
from tests.platform.harness import Harness


def test_a_completed_order_earns_points_once(tmp_path: Path) -> None:
    shop = Harness(tmp_path, all_services())
    for command in stocking(1, 5, shop.secrets, shop.ids):
        shop.send(command.owner, command)
    placed = order(0, 1, shop.secrets)

    shop.send("order", placed, id_="one")
    shop.send("order", placed, id_="one")

    assert [type(event).__name__ for event in shop.events("loyalty")] == ["PointsAwarded"]
    with shop.loops["loyalty"].writer.engine.connect() as connection:
        assert connection.execute(sa.select(POINTS.c.customer)).scalars().all() == [placed.customer]
    assert not shop.parked()
''',
}
