"""Which events a filter lets through."""

from __future__ import annotations

import pytest

from services.gateway.webhooks.filters import lets_through, sources_of
from shared.contracts import events


@pytest.mark.parametrize(
    ("filter_", "fits", "fails"),
    [
        (("order.*",), ("order", "OrderPlaced"), ("ledger", "PaymentReceived")),
        (("order.OrderPlaced",), ("order", "OrderPlaced"), ("order", "OrderCompleted")),
        (("order.Order*",), ("order", "OrderCompleted"), ("order", "RefundRecorded")),
        (("ledger.*", "order.OrderPlaced"), ("order", "OrderPlaced"), ("order", "OrderCompleted")),
        (("*.OrderPlaced",), ("order", "OrderPlaced"), ("order", "OrderPlacedTwice")),
    ],
)
def test_patterns(filter_: tuple[str, ...], fits: tuple[str, str], fails: tuple[str, str]) -> None:
    assert lets_through(filter_, *fits)
    assert not lets_through(filter_, *fails)


def test_a_star_lets_everything_through() -> None:
    assert all(lets_through(("*",), kind.owner, name) for name, kind in events().items())
    assert sources_of(("*",)) >= {"order", "ledger", "gateway", "inventory", "fulfillment", "risk", "notification"}


def test_only_the_logs_that_a_filter_concerns_are_read() -> None:
    assert sources_of(("order.*", "ledger.Payment*")) == {"order", "ledger"}
    assert sources_of(("order.NoSuchEvent",)) == frozenset()
