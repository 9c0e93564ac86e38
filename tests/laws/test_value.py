"""ValueOnce: money and fresh keys never exceed what was paid."""

from __future__ import annotations

import pytest

from shared.contracts import Event
from tests.laws.builders import broken, completed, keys_delivered, not_replaced, placed, refund_approved, replaced

SOLD = [placed("o-1", 1_000, 3), completed("o-1", 3_000)]


def complaint(*events: Event, drained: bool = False) -> str:
    return "; ".join(broken(*events, drained=drained).get("ValueOnce", ()))


@pytest.mark.parametrize(
    "history",
    [
        [replaced("o-1", 2, 7), replaced("o-1", 3, 8), replaced("o-1", 4, 9)],
        [replaced("o-1", 2, 7), replaced("o-1", 3, 12, replaces=2), refund_approved("o-1", 2_000)],
        [replaced("o-1", 2, 7), not_replaced("o-1", 2), refund_approved("o-1", 1_000, "replacement/2")],
        [replaced("o-1", 2, 7), refund_approved("o-1", 1_000, "r", 2, 12), refund_approved("o-1", 2_000, "s")],
    ],
    ids=["each replaced", "replaced twice, rest refunded", "not replaced", "fresh one refunded by its name"],
)
def test_each_key_stands_once(history: list[Event]) -> None:
    assert not complaint(*SOLD, *history)


@pytest.mark.parametrize(
    ("history", "said"),
    [
        ([refund_approved("o-1", 2_999), replaced("o-1", 2, 7)], "o-1 gave 3999 in money and fresh keys for the 3000"),
        ([replaced("o-1", 2, 7), refund_approved("o-1", 2_001)], "o-1 gave 3001 in money and fresh keys for the 3000"),
        (
            [refund_approved("o-1", 1_000, "r", 1, 7), replaced("o-1", 2, 7)],
            "key 7 of o-1/1 was refunded, and replaced as well",
        ),
        (
            [
                replaced("o-1", 2, 7),
                refund_approved("o-1", 9, "r", 1, 7),
                refund_approved("o-1", 9, "s", 2, 12),
            ],
            "key 7 of o-1/1 was refunded twice",
        ),
        ([keys_delivered("o-1", 7, 8)], "o-1/1 delivered 2 keys where 3 were sold"),
    ],
)
def test_no_key_stands_twice(history: list[Event], said: str) -> None:
    assert complaint(*SOLD, *history).startswith(said)


def test_keys_of_no_line_are_seen_in_whatever_order() -> None:
    assert complaint(keys_delivered("o-1", 7), placed("o-1", 1_000, 2)).startswith("o-1/1 delivered 1 keys where 2")
    assert complaint(keys_delivered("o-9", 7), drained=True) == "o-9/1 delivered 1 keys, and no order has such a line"
