"""What is held for an order that the log of order does not know."""

from __future__ import annotations

import pytest

from laws import OrdersKnown
from shared.contracts import Event
from shared.laws import LawChecker
from tests.laws.builders import captured, held, keys_delivered, loaded, placed, record, reserved, settled, voided


def overdue(*events: Event) -> list[str]:
    seen = LawChecker([OrdersKnown])
    for recorded in record(events):
        seen.saw(recorded)
    return list(seen.law(OrdersKnown).overdue())


LOST = (loaded("a", "b"), reserved("o-1", 1, 2), keys_delivered("o-1", 1, 2), held("o-1", 500, "wallet:a"))


def test_it_is_named_with_all_that_is_kept() -> None:
    (found,) = overdue(*LOST)

    assert "does not know order o-1: 5.00 CNY are held on wallet:a, 2 keys of CARD are reserved, 1 of its" in found


@pytest.mark.parametrize(
    "history",
    [
        (*LOST, placed("o-1")),
        (placed("o-1"), *LOST),
        (held("o-1", 500), voided("o-1", 500)),
        (reserved("o-1", 1), settled("o-1", 1), keys_delivered("o-1", 1), held("o-1", 500), captured("o-1", 500)),
    ],
)
def test_an_order_that_is_known_or_over_is_not(history: tuple[Event, ...]) -> None:
    assert overdue(*history) == []
