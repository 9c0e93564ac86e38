"""Laws of the sliding windows."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from services.risk.domain.rules import ENOUGH_CUSTOMERS, RULES, WINDOWS, Rule, customer_amount
from services.risk.domain.velocity import PARTS, History, measured, record, traits
from shared.contracts import Money
from tests.risk.builders import NOW, order

Past = list[tuple[int, int, str | None]]

EVERY_RULE = (*RULES, customer_amount(2_000_000))
PEOPLE = st.none() | st.integers(0, 25).map("c{}".format)
PASTS = st.lists(st.tuples(st.integers(0, 200_000), st.integers(1, 10_000), PEOPLE), max_size=60).map(
    lambda past: sorted(past, key=lambda one: one[0])
)


def remembered(rule: Rule, past: Past) -> History:
    history: History = {}
    for seconds, fen, customer in past:
        history = record(history, rule.dimension, NOW + timedelta(seconds=seconds), Money(amount=fen), customer)
    return history


def exactly(rule: Rule, past: Past, since: float, fen: int, customer: str | None) -> int:
    recent = [one for one in past if one[0] >= since]
    match rule.measure:
        case "count":
            return len(recent) + 1
        case "amount":
            return sum(one[1] for one in recent) + fen
        case "customers":
            return len({person for *_, person in [*recent, (0, 0, customer)] if person})


@settings(max_examples=200)
@given(rule=st.sampled_from(EVERY_RULE), past=PASTS, wait=st.integers(0, 90_000), customer=PEOPLE)
def test_what_is_within_the_window_is_counted_and_little_before_it(
    rule: Rule, past: Past, wait: int, customer: str | None
):
    now = (past[-1][0] if past else 0) + wait
    found = measured(rule, remembered(rule, past), NOW + timedelta(seconds=now), Money(amount=7), customer)

    least = exactly(rule, past, now - rule.window_seconds, 7, customer)
    most = exactly(rule, past, now - rule.window_seconds * (1 + 1 / PARTS), 7, customer)
    if rule.measure == "customers":  # counted no further than any rule looks
        assert min(least, ENOUGH_CUSTOMERS) <= found <= most
    else:
        assert least <= found <= most


@settings(max_examples=50)
@given(rule=st.sampled_from(EVERY_RULE), past=PASTS)
def test_a_history_stays_small(rule: Rule, past: Past):
    history = remembered(rule, past)
    assert len(history) <= len(WINDOWS[rule.dimension])
    for buckets in history.values():
        assert len(buckets) <= PARTS + 1
        assert all(len(bucket["customers"]) <= ENOUGH_CUSTOMERS for bucket in buckets)


def test_recording_leaves_the_history_it_began_with_alone():
    rule = RULES[0]
    before = remembered(rule, [(0, 100, "a")])
    kept = str(before)
    record(before, rule.dimension, NOW, Money(amount=1), "b")
    assert str(before) == kept


def test_every_window_divides_into_whole_seconds():
    assert all(window % PARTS == 0 for windows in WINDOWS.values() for window in windows)


def test_an_orders_values_are_distinct_and_never_empty():
    values = traits(order(customer=None, ip=" ", device="d", targets=("13800000000", " 13800000000", "")))
    assert values == (("device", "d"), ("target", "13800000000"))
