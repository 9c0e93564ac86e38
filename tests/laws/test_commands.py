"""AckDurable, IdempotentSame and RejectAtomic."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.laws import Ack, ReceivedReply, ack_durable, idempotent_same, reject_atomic
from tests.laws.builders import loaded, record

LOG = {("order", "c-1")}


def test_what_was_accepted_is_in_the_log() -> None:
    acks = [Ack("order", "c-1", 3, "accepted"), Ack("order", "c-2", 3, "refused"), Ack("order", "c-3", 2, "failed")]

    found = ack_durable(acks, LOG, {"order": 3})

    assert (found.ok, found.checked) == (True, 3)


@pytest.mark.parametrize(
    ("ack", "complaint"),
    [
        (Ack("order", "c-2", 3, "accepted"), "c-2 was accepted by order, which knows nothing of it"),
        (Ack("risk", "c-1", 0, "accepted"), "c-1 was accepted by risk, which knows nothing of it"),
        (Ack("order", "c-1", 4, "accepted"), "c-1 was answered at order 4, the log ends at 3"),
        (Ack("order", "c-9", 4, "refused"), "c-9 was answered at order 4, the log ends at 3"),
    ],
)
def test_a_lost_command_is_named(ack: Ack, complaint: str) -> None:
    assert ack_durable([ack], LOG, {"order": 3}).violations == (complaint,)


FIRST = ReceivedReply("c-1", "print-1", "accepted", {"total": 5})
GOOD = [
    FIRST,
    FIRST,
    ReceivedReply("c-1", "print-2", "conflict", {"code": "idempotency-conflict"}),
    ReceivedReply("c-1", "print-1", "failed"),
    ReceivedReply("c-2", "print-1", "refused", {"code": "unknown-order"}),
    ReceivedReply("c-1", "print-3", "refused", service="risk"),
]


@given(st.permutations(GOOD))
def test_the_same_command_is_answered_alike_in_whatever_order(replies: list[ReceivedReply]) -> None:
    found = idempotent_same(replies)

    assert (found.ok, found.checked) == (True, len(GOOD))


@pytest.mark.parametrize(
    ("reply", "complaint"),
    [
        (
            ReceivedReply("c-1", "print-1", "accepted", {"total": 6}),
            "c-1 was answered accepted and then otherwise: accepted",
        ),
        (ReceivedReply("c-1", "print-1", "refused"), "c-1 was answered accepted and then otherwise: refused"),
        (ReceivedReply("c-1", "print-2", "accepted", {"total": 5}), "c-1 was accepted with another body"),
        (ReceivedReply("c-1", "print-1", "conflict"), "c-1 was a conflict with itself"),
    ],
)
def test_another_answer_is_named(reply: ReceivedReply, complaint: str) -> None:
    assert idempotent_same([*GOOD, reply]).violations == (complaint,)


def test_a_refused_command_caused_nothing() -> None:
    events = record([loaded("a")], causation_id="c-1")
    acks = [Ack("inventory", "c-1", 1, "accepted"), Ack("order", "c-1", 1, "refused")]

    found = reject_atomic(acks, events)

    assert (found.ok, found.checked) == (True, 1)


def test_an_event_of_a_refused_command_is_named() -> None:
    events = record([loaded("a")], causation_id="c-1")

    found = reject_atomic([Ack("inventory", "c-1", 1, "refused")], events)

    assert found.violations == ("c-1 was refused and caused KeysLoaded (inventory 1)",)
