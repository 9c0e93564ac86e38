"""What orders cost that no machine changes: events, commits, slices and SQL statements, service by service.

A commit is one round trip to the disk, a slice one message to each reader, a statement one round trip to the database.
Each bound is what it costs now: whoever makes it cheaper lowers it, and whoever needs more says why here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy import event

from services import all_services
from shared.contracts import Metadata
from shared.contracts.gateway import RecordOpening
from shared.messages.messages import CommandMessage, EventBatch
from shared.messages.topology import inbox
from shared.messages.wire import MessageBody
from tests.bench.goods import order, stocking
from tests.platform.harness import Harness

# Placed, three answers, confirmed, a line delivered, completed.
EVENTS = {"order": 7, "inventory": 2, "fulfillment": 3, "ledger": 2, "risk": 1}
# One for each hop at which a service appends: several answers that arrive together are one.
SLICES = {"order": 3, "inventory": 2, "fulfillment": 2, "ledger": 2, "risk": 1}
# One for each hop at which a service hears of something, whether it appends or only moves its readers.
COMMITS = {
    "order": 4, "inventory": 3, "fulfillment": 3, "ledger": 3, "risk": 3, "notification": 3, "gateway": 3,
}  # fmt: skip
# SQLite's BEGIN included, which PostgreSQL is sent together with the first statement.
STATEMENTS = {
    "order": 24, "inventory": 16, "fulfillment": 16, "ledger": 17, "risk": 14, "notification": 16, "gateway": 33,
}  # fmt: skip
MORE = 20
OPENING_STATEMENTS = 8


class Counts:
    """What the services of a harness do."""

    def __init__(self, harness: Harness) -> None:
        self.events, self.batches = Counter[str](), Counter[str]()
        self.commits, self.statements = Counter[str](), Counter[str]()
        for name, loop in harness.loops.items():
            self._watch(name, loop.writer.engine)
        publish = harness.network.publish

        def published(exchange: str, body: MessageBody) -> None:
            if isinstance(body, EventBatch):
                self.batches[body.source] += 1
                self.events[body.source] += len(body.events)
            publish(exchange, body)

        harness.network.publish = published

    def _watch(self, name: str, engine: sa.Engine) -> None:
        event.listen(engine, "before_cursor_execute", lambda *_: self.statements.update([name]))
        event.listen(engine, "commit", lambda _: self.commits.update([name]))


@pytest.fixture
def shop(tmp_path: Path) -> Harness:
    """One that has sold before: what is read but once is in memory."""
    harness = Harness(tmp_path, all_services())
    for command in stocking(1, MORE + 2, harness.secrets, harness.ids):
        harness.send(command.owner, command)
    harness.send("order", order(0, 1, harness.secrets))
    return harness


def sell(shop: Harness, numbers: range) -> None:
    """Orders that arrive together, to their end."""
    waiting = []
    for number in numbers:
        meta = Metadata(correlation_id=f"c{number}", causation_id=f"c{number}")
        waiting.append(shop.network.ask("order", CommandMessage(f"c{number}", order(number, 1, shop.secrets), meta)))
    shop.drain()
    assert all(reply.result().outcome == "accepted" for reply in waiting)


def above(counts: Mapping[str, int], bounds: Mapping[str, int]) -> dict[str, int]:
    """The counts that are more than they may be."""
    return {name: count for name, count in counts.items() if count > bounds.get(name, 0)}


def test_one_order_costs_no_more_than_it_did(shop: Harness) -> None:
    counts = Counts(shop)

    sell(shop, range(1, 2))

    assert counts.events == EVENTS
    assert above(counts.batches, SLICES) == {}
    assert above(counts.commits, COMMITS) == {}
    assert above(counts.statements, STATEMENTS) == {}


def test_orders_that_arrive_together_share_commits_slices_and_statements(shop: Harness) -> None:
    counts = Counts(shop)

    sell(shop, range(1, 1 + MORE))

    assert counts.events == {name: MORE * count for name, count in EVENTS.items()}
    assert above(counts.batches, SLICES) == {}
    assert above(counts.commits, COMMITS) == {}
    assert above(counts.statements, STATEMENTS) == {}


def test_openings_that_arrive_together_cost_one_commit_and_one_slice_at_the_gateway(shop: Harness) -> None:
    counts = Counts(shop)

    waiting = []
    for number in range(MORE):
        opening = RecordOpening(order_id=f"o{number}", shown="keys", address="192.0.2.1")
        meta = Metadata(correlation_id=opening.order_id, causation_id=f"r{number}")
        waiting.append(shop.network.ask("gateway", CommandMessage(f"r{number}", opening, meta)))
    shop.drain()

    assert all(reply.result().outcome == "accepted" for reply in waiting)
    assert counts.events == {"gateway": MORE}
    assert counts.batches == {"gateway": 1}
    # The readers of the gateway's log pass over openings without a commit; notification has due items of its own.
    assert above(counts.commits, {"gateway": 1, "notification": 1}) == {}
    assert counts.statements["gateway"] <= OPENING_STATEMENTS


def test_a_message_that_is_heard_again_costs_nothing(shop: Harness) -> None:
    counts = Counts(shop)

    for name, loop in shop.loops.items():
        for source in loop.writer.service.sources():
            shop.network.send(inbox(name, ()).name, shop.network.pull(source, 0, 1_000))
    shop.drain()

    assert counts.events == {}
    assert counts.batches == {}
