"""What is due, when next, when to give up, when to disable."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

from services.gateway.webhooks.health import DOWN_FROM, EndpointHealth, next_try

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAYS = timedelta(days=3)


def schedule() -> list[datetime]:
    """When an event that always fails at once is tried."""
    tries = [NOW]
    while (again := next_try(len(tries), NOW, tries[-1])) is not None:
        tries.append(again)
    return tries


def after(failures: int, start: datetime = NOW) -> EndpointHealth:
    health = EndpointHealth()
    for minute in range(failures):
        health = health.failed(start + timedelta(minutes=minute))
    return health


def test_pauses_grow_from_seconds_to_hours() -> None:
    tries = schedule()
    pauses = [(later - earlier).total_seconds() for earlier, later in pairwise(tries)]
    assert pauses[:8] == [5, 30, 120, 600, 1_800, 3_600, 7_200, 14_400]
    assert set(pauses[8:-1]) == {14_400}


def test_the_last_try_is_three_days_after_the_first() -> None:
    tries = schedule()
    assert tries[-1] == NOW + DAYS
    assert next_try(len(tries), NOW, tries[-1]) is None


def test_a_try_that_comes_too_late_is_the_last() -> None:
    assert next_try(3, NOW, NOW + DAYS + timedelta(hours=5)) is None


def test_a_receiver_may_ask_for_a_longer_pause_but_not_for_days() -> None:
    assert next_try(1, NOW, NOW, 60) == NOW + timedelta(seconds=60)
    assert next_try(1, NOW, NOW, 1) == NOW + timedelta(seconds=5)
    assert next_try(1, NOW, NOW, 99_999) == NOW + timedelta(hours=1)


def test_a_few_failures_do_not_make_an_endpoint_rest() -> None:
    health = after(DOWN_FROM - 1)
    assert not health.is_down
    assert not health.is_resting(NOW + timedelta(minutes=10))


def test_an_endpoint_that_only_fails_rests_longer_and_longer() -> None:
    rests = []
    health = EndpointHealth()
    for _ in range(15):
        health = health.failed(NOW)
        rests.append((health.resting_until - NOW).total_seconds() if health.resting_until else 0)
    assert rests == [0, 0, 0, 0, 15, 30, 60, 120, 240, 300, 300, 300, 300, 300, 300]
    assert health.is_resting(NOW + timedelta(seconds=299))
    assert not health.is_resting(NOW + timedelta(seconds=300))


def test_one_success_ends_it() -> None:
    later = NOW + timedelta(days=1)
    assert after(20).succeeded(later) == EndpointHealth(succeeded_at=later)


def test_it_is_given_up_after_days_without_a_success_only() -> None:
    failing = after(3)
    assert not failing.is_given_up(NOW + DAYS - timedelta(seconds=1), DAYS)
    assert failing.is_given_up(NOW + DAYS, DAYS)
    again = failing.succeeded(NOW + timedelta(days=2)).failed(NOW + timedelta(days=2, hours=1))
    assert not again.is_given_up(NOW + DAYS, DAYS)


def test_an_event_is_given_up_and_the_endpoint_with_it_when_nothing_else_went_well() -> None:
    health = EndpointHealth()
    for at in schedule():
        health = health.failed(at)
    assert health.is_given_up(schedule()[-1], DAYS)


def test_failures_before_it_was_enabled_again_do_not_count() -> None:
    enabled_at = NOW + timedelta(days=4)
    assert after(20).since(enabled_at) == EndpointHealth()
    assert after(20, enabled_at).since(enabled_at) == after(20, enabled_at)
