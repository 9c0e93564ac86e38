"""How long a reader has been behind."""

from __future__ import annotations

from shared.subscriptions.lag import LagTracker


def test_who_has_applied_everything_is_not_behind() -> None:
    lag_tracker = LagTracker()

    lag_tracker.look({"order": 0}, {"order": 7}, 100.0)

    assert lag_tracker.seconds(160.0) == {"order": 0.0}


def test_the_first_event_not_applied_counts() -> None:
    lag_tracker = LagTracker()
    lag_tracker.look({"order": 1}, {"order": 7}, 100.0)  # it reaches 8
    lag_tracker.look({"order": 5}, {"order": 7}, 110.0)  # 12

    assert lag_tracker.seconds(120.0) == {"order": 20.0}

    lag_tracker.look({"order": 4}, {"order": 8}, 120.0)

    assert lag_tracker.seconds(120.0) == {"order": 10.0}

    lag_tracker.look({"order": 0}, {"order": 12}, 121.0)

    assert lag_tracker.seconds(121.0) == {"order": 0.0}


def test_a_reader_that_follows_at_a_distance_is_behind_by_that_distance() -> None:
    lag_tracker = LagTracker()
    for second in range(60):  # ten events a second, five seconds of them not applied
        lag_tracker.look({"order": 50}, {"order": 10 * second}, float(second))

    assert 4.0 <= lag_tracker.seconds(60.0)["order"] <= 6.0
