"""Which position of a log a moment is."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from services.gateway.webhooks.position_search import position_at
from shared.contracts.gateway import StaffAdded
from shared.messages.messages import EventBatch
from tests.gateway.builders import NOW, Logs

LOGS = Logs()
EVENTS = [LOGS.record(StaffAdded(username=f"s{number}", role="support")) for number in range(10)]


async def pull(source: str, after: int, limit: int) -> EventBatch:
    events = EVENTS[after : after + limit]
    return EventBatch(source, after + 1, after + len(events), events)


@pytest.mark.parametrize("seconds", range(12))
def test_it_is_the_last_event_that_is_not_later(seconds: int) -> None:
    found = asyncio.run(position_at(pull, "gateway", 10, NOW + timedelta(seconds=seconds)))
    assert found == min(seconds, 10)


def test_what_is_beyond_the_head_does_not_count() -> None:
    assert asyncio.run(position_at(pull, "gateway", 4, NOW + timedelta(days=1))) == 4
    assert asyncio.run(position_at(pull, "gateway", 0, NOW)) == 0
