import pytest
from pydantic import TypeAdapter

from services.fulfillment.domain.keys import Opened, keys_to_open
from services.fulfillment.domain.state import Delivery
from shared.contracts import Command
from shared.contracts.fulfillment import DeliveryFailed, DeliveryHandedOver, KeysDelivered, KeysTaken, RecordPurchase
from tests.fulfillment.builders import (
    COST,
    ENVELOPE,
    ID,
    OPENED,
    after,
    deliver,
    given,
    names,
    order_line,
    reserved,
    take,
    when,
)


def test_keys_wait_unopened_for_the_confirmation() -> None:
    assert keys_to_open(take(), Delivery()) is None
    assert names(when([], take())) == ["KeysTaken"]


def test_keys_at_hand_are_delivered_on_confirmation() -> None:
    past = given(take())

    opening = keys_to_open(deliver(), after(past))
    assert opening is not None
    assert (opening.numbers, opening.sku, opening.delivery_id) == ((1, 2), "sku-1", ID)
    assert when(past, deliver(), OPENED)[1:] == [
        KeysDelivered(delivery_id=ID, order_id="order-1", line=1, sku="sku-1", numbers=(1, 2), envelope=ENVELOPE)
    ]


def test_a_confirmation_waits_for_its_keys() -> None:
    past = given(deliver())

    assert names(past) == ["DeliveryRequested"]
    opening = keys_to_open(take(), after(past))
    assert opening is not None
    assert opening.numbers == (1, 2)
    assert names(when(past, take(), OPENED)) == ["KeysTaken", "KeysDelivered"]


def test_the_newest_attempt_wins() -> None:
    past = given(take(attempt=2, keys=reserved(3, 4)))

    assert when(past, take(attempt=1)) == []
    assert when(past, take(attempt=2)) == []
    [newer] = when(past, take(attempt=3, keys=reserved(5, 6)))
    assert isinstance(newer, KeysTaken)
    assert newer.keys == reserved(5, 6)


def test_keys_of_an_older_attempt_are_not_delivered() -> None:
    taken_then_confirmed = given(take(attempt=1), deliver(attempt=2))
    assert names(taken_then_confirmed) == ["KeysTaken", "DeliveryRequested"]

    confirmed_first = given(deliver(attempt=2))
    assert keys_to_open(take(attempt=1), after(confirmed_first)) is None
    assert when(confirmed_first, take(attempt=1)) == []

    again = take(attempt=2, keys=reserved(3, 4))
    assert names(when(taken_then_confirmed, again, OPENED)) == ["KeysTaken", "KeysDelivered"]


def test_keys_that_do_not_open_fail_the_delivery_and_are_named() -> None:
    events = when(given(take()), deliver(), Opened(unopened=(2,)))

    assert isinstance(events[-1], DeliveryFailed)
    assert (events[-1].reason, events[-1].numbers) == ("keys could not be opened", (2,))


def test_a_key_delivered_before_goes_to_a_person_instead() -> None:
    events = when(given(take()), deliver(), Opened(delivered_before=(1,)))

    assert isinstance(events[-1], DeliveryHandedOver)
    assert (events[-1].reason, events[-1].numbers) == ("key already delivered", (1,))
    assert "KeysDelivered" not in names(events)


@pytest.mark.parametrize(
    "wrong",
    [take(keys=reserved(1)), take(keys=reserved(1, 2, 3)), take(keys=reserved(1, 1)), take(sku="sku-2")],
    ids=["too few", "too many", "twice the same", "another SKU"],
)
def test_a_reservation_that_is_not_what_was_sold_is_never_opened(wrong: Command) -> None:
    past = given(wrong)

    assert keys_to_open(deliver(), after(past)) is None
    assert names(when(past, deliver())) == ["DeliveryRequested", "DeliveryHandedOver"]


def test_nothing_is_delivered_twice() -> None:
    past = given(take(), (deliver(), OPENED))

    for command in (deliver(), deliver(attempt=2), take(), take(attempt=2)):
        assert keys_to_open(command, after(past)) is None
        assert when(past, command) == []


def test_other_lines_open_nothing() -> None:
    state = after(given(take()))

    assert keys_to_open(deliver(order_line("manual")), state) is None
    assert keys_to_open(deliver(order_line("supplier")), state) is None
    assert keys_to_open(RecordPurchase(delivery_id=ID, supplier="north", outcome="done", cost=COST), state) is None


@pytest.mark.parametrize("past", [[], given(take()), given(deliver()), given(take(), (deliver(), OPENED))])
def test_states_survive_a_snapshot(past: list) -> None:
    adapter = TypeAdapter(Delivery)

    assert adapter.validate_json(adapter.dump_json(after(past))) == after(past)
