"""Whatever answers come, in whatever order and how often: what must hold of every order."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.contracts import Command, Refused
from shared.contracts.order import (
    CancelOrder,
    LatePaymentDeclined,
    MeetDeadline,
    OrderCancelled,
    OrderCompleted,
    OrderConfirmed,
    OrderReopened,
    PaymentRecorded,
    RecordDelivery,
    RecordPayment,
    RecordRefund,
    RecordReservation,
    RecordReservationExpiry,
    RecordScreening,
    RefundApproved,
    RefundOrder,
    ReplaceKey,
    ReplacementRequested,
    StockRequested,
)
from tests.amounts import yuan
from tests.laws.builders import broken
from tests.order.builders import Life, place, wish

LINES = st.sampled_from([1, 1, 2, 3, 4, 5])
ATTEMPTS = st.sampled_from([1, 1, 2])
MOSTLY = st.sampled_from([True, True, True, False])
REFUND_IDS = st.sampled_from(["r1", "r2", "r3", "replacement/4"])
O1 = st.just("o1")

ANSWERS: st.SearchStrategy[Command] = st.one_of(
    st.builds(RecordScreening, order_id=O1, decision=st.sampled_from(["pass", "pass", "review", "block"])),
    st.builds(RecordReservation, order_id=O1, line=LINES, attempt=ATTEMPTS, reserved=MOSTLY),
    st.builds(RecordReservation, order_id=O1, line=LINES, attempt=ATTEMPTS, reserved=st.just(True)),
    st.builds(RecordReservationExpiry, order_id=O1, line=LINES, attempt=ATTEMPTS),
    st.builds(RecordPayment, order_id=O1, held=MOSTLY),
    st.builds(RecordDelivery, order_id=O1, line=LINES, delivered=MOSTLY, numbers=st.sampled_from([(1, 2), (3,), ()])),
    st.builds(
        MeetDeadline,
        order_id=O1,
        step=st.sampled_from(["payment", "answers", "review", "delivery"]),
        attempt=ATTEMPTS,
    ),
    st.builds(RecordRefund, order_id=O1, refund_id=REFUND_IDS, amount=st.just(yuan(1))),
)
WISHES_OF_PEOPLE: st.SearchStrategy[Command] = st.one_of(
    st.builds(CancelOrder, order_id=O1),
    st.builds(
        RefundOrder,
        order_id=O1,
        refund_id=REFUND_IDS,
        amount=st.sampled_from([None, yuan(5), yuan(70)]),
        reason=st.just(""),
    ),
    st.builds(ReplaceKey, order_id=O1, line=LINES, number=st.sampled_from([1, 2, 3]), reason=st.just("")),
)
PLACINGS = st.builds(
    lambda payment, from_stock: place(
        wish("card", 2), wish("code") if from_stock else wish("course"), wish("topup", target="1"), payment=payment
    ),
    st.sampled_from(["wallet", "wechat"]),
    st.booleans(),
)
SCREENED = RecordScreening(order_id="o1", decision="pass")
PAID = RecordPayment(order_id="o1", held=True)
UNPAID = MeetDeadline(order_id="o1", step="payment", attempt=1)
DELIVERED = tuple(RecordDelivery(order_id="o1", line=line, delivered=True, numbers=(1, 2)) for line in (1, 2, 3))
THREE_KEYS = RecordDelivery(order_id="o1", line=1, delivered=True, numbers=(7, 8, 9))


def reservations(attempt: int) -> tuple[Command, ...]:
    return tuple(RecordReservation(order_id="o1", line=line, attempt=attempt, reserved=True) for line in (1, 2))


HAPPY: tuple[Command, ...] = (SCREENED, *reservations(1), PAID, *DELIVERED)
LATE: tuple[Command, ...] = (SCREENED, UNPAID, PAID, *reservations(2), *DELIVERED)


@st.composite
def stories(draw: st.DrawFn) -> tuple[Command, ...]:
    """A usual story told up to some point with random answers strewn in, and what may come after."""
    usual = draw(st.sampled_from([HAPPY, LATE]))
    story = [draw(PLACINGS), *usual[: draw(st.sampled_from([2, 4, 5, len(usual), len(usual)]))]]
    for command in draw(st.lists(st.one_of(ANSWERS, WISHES_OF_PEOPLE), max_size=4)):
        story.insert(draw(st.integers(1, len(story))), command)
    return (*story, *draw(st.lists(st.one_of(ANSWERS, WISHES_OF_PEOPLE, WISHES_OF_PEOPLE), max_size=12)))


def live(story: tuple[Command, ...]) -> Life:
    """Tell the story; only what people wish for may be refused, and every answer is told twice."""
    life = Life()
    for command in story:
        people = isinstance(command, CancelOrder | RefundOrder | ReplaceKey)
        try:
            life.send(command)
        except Refused:
            assert people
            continue
        if not people:
            before = life.order
            assert life.send(command) == []
            assert life.order == before
    return life


@given(stories())
def test_laws(story: tuple[Command, ...]):
    life = live(story)
    kinds = [type(event) for event in life.history]
    counts = Counter(kinds)

    assert counts[OrderConfirmed] <= 1
    assert counts[OrderCompleted] <= counts[OrderConfirmed]
    if OrderConfirmed in kinds:
        assert OrderCancelled not in kinds[kinds.index(OrderConfirmed) :]

    assert counts[OrderReopened] <= 1
    assert counts[OrderCancelled] <= 1 + counts[OrderReopened]
    attempts = [event.attempt for event in life.history if isinstance(event, OrderConfirmed)]
    assert attempts in ([], [1 + counts[OrderReopened] + counts[StockRequested]])

    approved = sum(event.amount.amount for event in life.history if isinstance(event, RefundApproved))
    completed = [event for event in life.history if isinstance(event, OrderCompleted)]
    assert approved <= sum(event.delivered.amount for event in completed)
    assert all(event.delivered + event.undelivered == life.order.total for event in completed)


@given(stories())
def test_every_hold_is_answered_once(story: tuple[Command, ...]):
    """A hold that was heard is earned or given back exactly once; one never heard is left alone."""
    life = live(story)
    heard = sum(isinstance(event, PaymentRecorded | LatePaymentDeclined) for event in life.history)
    freed = sum(
        isinstance(event, LatePaymentDeclined | OrderCompleted) or (isinstance(event, OrderCancelled) and event.paid)
        for event in life.history
    )
    assert heard <= 1
    if life.order.phase in ("cancelled", "completed"):
        assert freed == heard
    else:
        assert freed == 0


@given(stories())
def test_an_order_that_is_not_finished_waits_for_something(story: tuple[Command, ...]):
    order = live(story).order
    if order.phase == "placed":
        assert order.step in ("payment", "answers", "review")
        assert not order.joined
    if order.phase in ("cancelled", "completed"):
        assert order.step is None


AFTER_SALE: st.SearchStrategy[Command] = st.one_of(
    st.builds(
        RefundOrder,
        order_id=O1,
        refund_id=REFUND_IDS,
        amount=st.sampled_from([None, yuan(3), yuan(11)]),
        reason=st.just(""),
    ),
    st.builds(
        RefundOrder,
        order_id=O1,
        refund_id=REFUND_IDS,
        line=st.sampled_from([1, 1, 2]),
        number=st.sampled_from([7, 8, 9]),
        reason=st.just(""),
    ),
    st.builds(
        ReplaceKey, order_id=O1, line=st.sampled_from([1, 1, 2]), number=st.sampled_from([7, 8, 9]), reason=st.just("")
    ),
    st.builds(RecordReservation, order_id=O1, line=LINES, attempt=st.just(1), reserved=st.booleans()),
    st.builds(RecordDelivery, order_id=O1, line=LINES, delivered=st.booleans(), numbers=st.just((7,))),
    st.builds(RecordRefund, order_id=O1, refund_id=st.sampled_from(["r1", "replacement/2"]), amount=st.just(yuan(3))),
)


def refused_by_name(life: Life, number: int) -> str:
    """Why the key of line 1 is not refunded by its name; empty when it is."""
    try:
        life.send(RefundOrder(order_id="o1", refund_id=f"key-{number}", line=1, number=number, reason=""))
    except Refused as refused:
        return refused.code
    return ""


@given(st.lists(AFTER_SALE, max_size=25))
def test_no_more_is_given_back_than_was_delivered_and_no_key_is_replaced_twice(wishes: list[Command]):
    life = live((place(wish("card", 3)), SCREENED, *reservations(1), PAID, THREE_KEYS, *wishes))
    for number in (7, 8, 9):
        left = life.order.refundable.amount or life.order.is_replaced((1, number))
        codes = ("", "already-refunded", "replacement-under-way", *(() if left else ("nothing-left",)))
        assert refused_by_name(life, number) in codes
    history = life.history
    approved = [event for event in history if isinstance(event, RefundApproved)]
    assert sum(event.amount.amount for event in approved) <= yuan(30).amount
    assert len({event.refund_id for event in approved}) == len(approved)
    replaced = [(event.replaces, event.number) for event in history if isinstance(event, ReplacementRequested)]
    assert len(set(replaced)) == len(replaced)
    assert "ValueOnce" not in broken(*history)
    assert sum(isinstance(event, OrderCompleted) for event in history) == 1


def test_the_laws_are_tried_on_orders_that_complete():
    assert live((place(wish("card"), wish("code"), wish("course")), *HAPPY)).order.phase == "completed"


@pytest.mark.parametrize("missing", [0, 3])
def test_an_order_is_not_confirmed_without_an_answer(missing):
    story = HAPPY[:missing] + HAPPY[missing + 1 :]
    assert live((place(wish("card"), wish("code"), wish("course")), *story)).order.phase == "placed"
