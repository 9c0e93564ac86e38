"""What is kept of attempts, on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from services.gateway.read_models import ReadModels
from services.gateway.service import SERVICE
from services.gateway.webhooks import tables
from services.gateway.webhooks.delivery_store import AT_ONCE, ATTEMPTS_KEPT, FAILED_KEPT, DeliveryStore, Outcome
from services.gateway.webhooks.health import DOWN_FROM, TRY_FOR, EndpointHealth
from services.gateway.webhooks.posting import Answer
from services.gateway.webhooks.snapshot import PING, Cursor, Delivery, Endpoint
from shared.contracts.gateway import WebhookEndpointDisabled, WebhookEndpointEnabled, WebhookEndpointRegistered
from shared.eventstore import log
from shared.eventstore.engines import open_engine
from shared.eventstore.log import to_text
from shared.projections.rebuild import rebuild
from tests.databases import NewDatabase
from tests.gateway.builders import NOW, Logs, fold

YES, NO = Answer(204, None, "", 0.02), Answer(500, None, "boom", 0.5)
BEGIN = Cursor("since", 10)
EVENT = Delivery("event-11", "order", 11, "OrderPlaced.v1")
REGISTERED = WebhookEndpointRegistered(
    endpoint_id="e1", name="shop", url="https://hooks.example.com/", events=("order.*",), sources=("order",)
)


class EndpointRecords:
    """Records of one endpoint that stands behind position 10 of the order log."""

    def __init__(self, engine: sa.Engine) -> None:
        self.engine, self.logs, self.now = engine, Logs(), NOW + timedelta(hours=1)
        with engine.begin() as connection:
            log.create(connection, SERVICE.sources())
            ReadModels.metadata.create_all(connection)
            tables.metadata.create_all(connection)
        fold(engine, [self.logs.record(REGISTERED)])
        self.store, self._attempts = DeliveryStore(engine, engine), 0
        self.store.start_at("e1", "order", BEGIN.since, BEGIN.position)

    @property
    def endpoint(self) -> Endpoint:
        return self.store.look().endpoints["e1"]

    def attempt(self, answer: Answer, delivery: Delivery = EVENT, before: Cursor | None = None) -> Outcome:
        self._attempts += 1
        return self.store.record(
            self.endpoint, delivery, answer, self.now, self.now, f"attempt-{self._attempts:05}", before
        )

    def rows(self, table: sa.Table) -> list[dict[str, object]]:
        with self.engine.connect() as connection:
            return [dict(row) for row in connection.execute(sa.select(table).order_by(*table.primary_key)).mappings()]

    def due(self, *, pings: bool = False) -> list[Delivery]:
        return list(self.store.due("e1", 50, self.now, pings=pings))

    @property
    def place(self) -> int:
        return self.store.look().cursors["e1", "order"].position


@pytest.fixture
def records(new_database: NewDatabase) -> Iterator[EndpointRecords]:
    engine = open_engine(new_database(), writer=False)
    yield EndpointRecords(engine)
    engine.dispose()


def test_a_delivered_event_leaves_an_attempt_and_the_place_moves(records: EndpointRecords) -> None:
    outcome = records.attempt(YES, before=BEGIN)
    assert (outcome.is_current, outcome.given_up, records.place) == (True, False, 11)
    (attempt,) = records.rows(tables.attempts)
    assert (attempt["outcome"], attempt["number"], attempt["milliseconds"]) == ("delivered", 1, 20)
    assert records.rows(tables.deliveries) == []
    assert records.store.look().endpoint_health["e1"].succeeded_at == records.now


def test_a_failed_event_waits_and_the_place_moves_all_the_same(records: EndpointRecords) -> None:
    records.attempt(NO, before=BEGIN)
    assert records.place == 11
    assert records.due() == []
    records.now += timedelta(seconds=5)
    assert records.due() == [replace(EVENT, tries=1, first_at=records.now - timedelta(seconds=5))]
    (attempt,) = records.rows(tables.attempts)
    assert (attempt["outcome"], attempt["status"], attempt["answer"]) == ("failed", 500, "boom")
    assert attempt["next_at"] == to_text(records.now)


def test_a_place_that_was_moved_meanwhile_stays_where_it_was_moved_to(records: EndpointRecords) -> None:
    records.store.start_at("e1", "order", BEGIN.since, 3)
    assert not records.attempt(YES, before=BEGIN).is_current
    assert not records.store.move("e1", "order", BEGIN, 20)
    assert records.place == 3
    assert records.store.move("e1", "order", Cursor(BEGIN.since, 3), 20)
    assert records.place == 20


def test_it_is_given_up_after_three_days_and_may_be_asked_for_again(records: EndpointRecords) -> None:
    records.attempt(NO, before=BEGIN)
    first_at = records.now
    records.now += TRY_FOR
    (delivery,) = records.due()
    assert records.attempt(NO, delivery).given_up
    assert records.due() == []
    queue = records.store.look().queues["e1"]
    assert (queue.waiting, queue.failed, delivery.first_at) == (0, 1, first_at)

    assert records.store.ask_all_failed_again("e1", records.now) == 1
    assert records.due() == [EVENT]
    records.attempt(YES, EVENT)
    assert records.rows(tables.deliveries) == []
    assert records.store.ask_all_failed_again("e1", records.now) == 0


def test_what_waits_is_due_at_once_when_an_endpoint_is_back(records: EndpointRecords) -> None:
    for number in range(DOWN_FROM):
        records.attempt(NO, replace(EVENT, event_id=f"event-{number}"))
    assert records.store.look().endpoint_health["e1"].is_down
    records.attempt(YES, replace(EVENT, event_id="event-0", tries=1, first_at=records.now))
    assert [one.event_id for one in records.due()] == [f"event-{number}" for number in range(1, DOWN_FROM)]
    assert records.store.look().endpoint_health["e1"] == EndpointHealth(succeeded_at=records.now)


def test_one_success_among_few_failures_does_not_hurry(records: EndpointRecords) -> None:
    records.attempt(NO)
    records.attempt(YES, replace(EVENT, event_id="another"))
    assert records.due() == []


def test_failures_before_it_was_enabled_again_do_not_count(records: EndpointRecords) -> None:
    for _ in range(DOWN_FROM):
        records.attempt(NO)
    turned = [
        WebhookEndpointDisabled(endpoint_id="e1", name="", reason="failing"),
        WebhookEndpointEnabled(endpoint_id="e1"),
    ]
    records.logs._count += 7_200
    fold(records.engine, [records.logs.record(event) for event in turned])
    snapshot = records.store.look()
    assert snapshot.health(snapshot.endpoints["e1"]) == EndpointHealth()
    records.now = datetime.fromisoformat(to_text(NOW)) + timedelta(hours=3)
    assert records.attempt(NO).health.failures == 1


def test_a_ping_is_tried_once_and_says_nothing_of_the_endpoint(records: EndpointRecords) -> None:
    ping = Delivery("ping-1", PING, 0, "ping")
    records.store.ask_again("e1", ping, records.now)
    assert records.due() == []
    assert records.due(pings=True) == [ping]
    outcome = records.attempt(NO, ping)
    assert (outcome.given_up, outcome.health) == (False, EndpointHealth())
    assert records.rows(tables.deliveries) == []
    assert records.rows(tables.endpoint_health) == []
    assert [row["outcome"] for row in records.rows(tables.attempts)] == ["failed"]


def test_what_was_kept_long_enough_is_let_go_a_part_at_a_time(records: EndpointRecords) -> None:
    records.attempt(NO, before=BEGIN)
    old = [{**records.rows(tables.attempts)[0], "attempt_id": f"old-{number}"} for number in range(AT_ONCE)]
    with records.engine.begin() as connection:
        connection.execute(sa.insert(tables.attempts), old)
        connection.execute(sa.update(tables.deliveries).values(state="failed"))
    later = records.now + ATTEMPTS_KEPT + timedelta(seconds=1)
    assert records.store.purge(later)
    assert not records.store.purge(later)
    assert records.rows(tables.attempts) == []
    assert len(records.rows(tables.deliveries)) == 1
    records.store.purge(records.now + FAILED_KEPT + timedelta(days=1))
    assert records.rows(tables.deliveries) == []


def test_of_a_removed_endpoint_only_attempts_stay(records: EndpointRecords) -> None:
    records.attempt(NO, before=BEGIN)
    records.store.forget("e1")
    assert [records.rows(one) for one in (tables.cursors, tables.endpoint_health, tables.deliveries)] == [[], [], []]
    assert len(records.rows(tables.attempts)) == 1


def test_a_rebuild_leaves_all_of_it_alone(records: EndpointRecords) -> None:
    records.attempt(NO, before=BEGIN)
    kept = [records.rows(one) for one in tables.metadata.sorted_tables]
    logs = dict.fromkeys((SERVICE.name, *SERVICE.sources()), records.engine)

    rebuild(SERVICE.name, ReadModels, frozenset(), logs, records.engine, plans={}, now=datetime.now(UTC))

    assert [records.rows(one) for one in tables.metadata.sorted_tables] == kept
    assert records.store.look().endpoints == {}  # this log holds no event of it
