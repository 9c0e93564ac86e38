"""How long a reader has been behind."""

from __future__ import annotations

from shared.subscriptions.lag import LagTracker


def test_who_has_applied_everything_is_not_behind() -> None:
    behind = LagTracker()

    behind.look({"order": 0}, {"order": 7}, 100.0)

    assert behind.seconds(160.0) == {"order": 0.0}


def test_the_first_event_not_applied_counts() -> None:
    behind = LagTracker()
    behind.look({"order": 1}, {"order": 7}, 100.0)  # it reaches 8
    behind.look({"order": 5}, {"order": 7}, 110.0)  # 12

    assert behind.seconds(120.0) == {"order": 20.0}

    behind.look({"order": 4}, {"order": 8}, 120.0)

    assert behind.seconds(120.0) == {"order": 10.0}

    behind.look({"order": 0}, {"order": 12}, 121.0)

    assert behind.seconds(121.0) == {"order": 0.0}


def test_a_reader_that_follows_at_a_distance_is_behind_by_that_distance() -> None:
    behind = LagTracker()
    for second in range(60):  # ten events a second, five seconds of them not applied
        behind.look({"order": 50}, {"order": 10 * second}, float(second))

    assert 4.0 <= behind.seconds(60.0)["order"] <= 6.0
