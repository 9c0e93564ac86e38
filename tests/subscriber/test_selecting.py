"""Which events are wanted."""

from __future__ import annotations

import pytest

from kameng_subscriber import Misconfigured
from kameng_subscriber.events import SOURCES
from kameng_subscriber.selecting import Selection


@pytest.mark.parametrize(
    ("pattern", "wanted", "unwanted"),
    [
        ("order.#", "order.OrderPlaced.v1", "ledger.FundsHeld.v1"),
        ("order.OrderPlaced.*", "order.OrderPlaced.v3", "order.OrderCompleted.v1"),
        ("order.OrderPlaced.v1", "order.OrderPlaced.v1", "order.OrderPlaced.v2"),
        ("*.FundsHeld.*", "ledger.FundsHeld.v1", "ledger.FundsVoided.v1"),
        ("#", "risk.CaseOpened.v1", "nowhere.CaseOpened.v1"),
        ("#.v1", "risk.CaseOpened.v1", "risk.CaseOpened.v2"),
        ("order.*", "order.Odd", "order.OrderPlaced.v1"),
        ("order.#.v1", "order.OrderPlaced.v1", "order.OrderPlaced.v2"),
    ],
)
def test_patterns_match_as_the_broker_does(pattern: str, wanted: str, unwanted: str) -> None:
    selection = Selection((pattern,))
    assert selection.wants(wanted)
    assert not selection.wants(unwanted)


def test_only_the_logs_that_can_hold_them_are_read() -> None:
    assert Selection(("ledger.#", "order.OrderPlaced.*")).sources == ("ledger", "order")
    assert Selection(("#",)).sources == SOURCES
    assert str(Selection(("order.#", "ledger.#"))) == str(Selection(("ledger.#", "order.#", "order.#")))


@pytest.mark.parametrize("only", [(), "order.#", ("",), ("order.",), ("odrer.#",), ("order.Order*",), ("order.a b",)])
def test_what_can_select_nothing_is_refused(only: object) -> None:
    with pytest.raises(Misconfigured):
        Selection(only)  # pyright: ignore[reportArgumentType] - that is the point
