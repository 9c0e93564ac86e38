"""When a reader asks for what it misses."""

from __future__ import annotations

from shared.subscriptions.tracker import SubscriptionTracker


def following() -> SubscriptionTracker:
    return SubscriptionTracker(("button", "door"))


def asked(one: SubscriptionTracker, button: int, *, at: float = 0.0, door: int = 0) -> list[tuple[str, int]]:
    return list(one.due_pulls({"button": button, "door": door}, at))


def test_who_knows_of_nothing_new_asks_nobody() -> None:
    one = following()
    one.batch_arrived("button", 5)

    assert asked(one, 5) == []


def test_who_is_behind_asks_once() -> None:
    one = following()
    one.batch_arrived("button", 5)

    assert asked(one, 3) == [("button", 3)]
    assert asked(one, 3, at=0.9) == []


def test_what_is_only_announced_is_given_a_moment_to_arrive() -> None:
    one = following()
    one.head_announced("button", 5)

    assert asked(one, 3, at=1.0) == []
    assert one.lag({"button": 3, "door": 0})["button"] == 2
    assert asked(one, 3, at=1.1) == [("button", 3)]


def test_what_was_announced_and_has_arrived_is_not_asked_for() -> None:
    one = following()
    one.head_announced("button", 5)
    asked(one, 3, at=1.0)
    one.batch_arrived("button", 5)

    assert asked(one, 5, at=1.1) == []


def test_a_pull_in_vain_is_sent_again_after_a_second() -> None:
    one = following()
    one.batch_arrived("button", 5)
    asked(one, 3)

    assert asked(one, 3, at=1.0) == [("button", 3)]
    assert asked(one, 3, at=1.5) == []


def test_whoever_moves_on_and_is_still_behind_asks_at_once() -> None:
    one = following()
    one.batch_arrived("button", 5)
    asked(one, 3)

    assert asked(one, 4, at=0.1) == [("button", 4)]
    assert asked(one, 5, at=0.2) == []


def test_a_head_never_goes_back() -> None:
    one = following()
    one.batch_arrived("button", 5)
    one.batch_arrived("button", 2)

    assert asked(one, 3) == [("button", 3)]


def test_in_doubt_every_source_is_asked_once() -> None:
    one = following()
    one.pull_all_once()

    assert asked(one, 0) == [("button", 0), ("door", 0)]
    assert asked(one, 0, at=5.0) == []


def test_a_source_that_says_nothing_for_long_is_silent_and_asked() -> None:
    one = following()
    assert one.find_silent(0.0) == []
    one.batch_arrived("door", 0)
    assert one.find_silent(4.0) == []

    assert one.find_silent(5.0) == ["button"]
    assert asked(one, 0, at=5.0) == [("button", 0)]
    assert one.find_silent(8.9) == []
    assert one.find_silent(9.0) == ["door"]
    assert one.find_silent(10.0) == ["button"]


def test_a_log_server_that_says_nothing_is_missed_though_its_writer_speaks() -> None:
    one = following()
    one.find_silent(0.0)
    one.batch_arrived("button", 5)
    one.head_announced("door", 0)
    one.find_silent(4.9)
    assert one.unannounced == set()

    one.batch_arrived("button", 6)
    one.find_silent(5.0)
    assert one.unannounced == {"button"}
    one.pull_all_once()
    one.find_silent(6.0)
    assert one.unannounced == {"button"}
    one.head_announced("button", 6)
    one.find_silent(7.0)
    assert one.unannounced == set()


def test_whoever_connects_anew_waits_anew_before_it_calls_it_silence() -> None:
    one = following()
    one.find_silent(0.0)
    one.pull_all_once()

    assert one.find_silent(6.0) == []
    assert one.find_silent(11.0) == ["button", "door"]


def test_a_source_that_is_not_read_is_none_of_its_business() -> None:
    one = following()
    one.batch_arrived("stranger", 5)

    assert asked(one, 0) == []


def test_lag_counts_events() -> None:
    one = following()
    one.batch_arrived("button", 5)

    assert one.lag({"button": 3, "door": 1}) == {"button": 2, "door": 0}
