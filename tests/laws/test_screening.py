"""ScreenedOnly: nothing that risk stopped is delivered."""

from __future__ import annotations

import pytest

from shared.contracts import Event
from shared.contracts.fulfillment import DeliveryResolved
from tests.laws.builders import bought, broken, confirmed, decided, heard, keys_delivered, reopened, screened

BY_HAND = DeliveryResolved(delivery_id="o-1/1", order_id="o-1", line=1, sku="TOP-UP", note="by phone")
ENDS = [keys_delivered("o-1", 1), bought("o-1", "north"), BY_HAND]


def complaint(*events: Event, drained: bool = True) -> str:
    return "; ".join(broken(*events, drained=drained).get("ScreenedOnly", ()))


@pytest.mark.parametrize("end", ENDS, ids=lambda end: type(end).__name__)
def test_what_was_let_pass_is_delivered(end: Event) -> None:
    assert not complaint(screened("o-1"), heard("o-1"), confirmed("o-1"), end)
    assert not complaint(end, confirmed("o-2"), heard("o-1"), screened("o-1"), drained=False).startswith("o-1")
    by_a_person = (screened("o-1", "review"), heard("o-1", "review"), decided("o-1", "pass"), heard("o-1"))
    assert not complaint(*by_a_person, confirmed("o-1"), end)


@pytest.mark.parametrize("end", ENDS, ids=lambda end: type(end).__name__)
def test_what_is_blocked_or_under_review_is_not(end: Event) -> None:
    for stopped in ([screened("o-1", "block")], [screened("o-1", "review"), decided("o-1", "block")]):
        assert complaint(*stopped, end, drained=False).startswith("o-1 is blocked by risk and was delivered")
        assert complaint(end, *stopped, drained=False).startswith("o-1 is blocked by risk and was delivered")
    assert complaint(screened("o-1", "review"), end).startswith("o-1 was delivered, and risk never let it pass")
    assert complaint(screened("o-1"), end) == "o-1 was delivered and never confirmed"
    assert not complaint(screened("o-1", "review"), end, drained=False)


@pytest.mark.parametrize(
    ("history", "said"),
    [
        ([confirmed("o-1")], "o-1 was confirmed before it was let pass"),
        ([heard("o-1", "review"), confirmed("o-1")], "o-1 was confirmed before it was let pass"),
        ([heard("o-1", "block"), confirmed("o-1")], "o-1 is blocked and was confirmed"),
        ([heard("o-1", "block"), reopened("o-1")], "o-1 is blocked and was reopened"),
        ([heard("o-1"), heard("o-1")], "o-1 heard twice what was decided"),
        ([screened("o-1"), screened("o-1")], "o-1 was screened twice"),
        ([heard("o-1"), confirmed("o-1"), confirmed("o-1")], "o-1 was confirmed twice"),
    ],
)
def test_an_order_goes_on_after_it_heard_so(history: list[Event], said: str) -> None:
    assert complaint(*history, drained=False).startswith(said)
