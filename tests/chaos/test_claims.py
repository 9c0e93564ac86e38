"""A wrong answer to a client breaks a law."""

from __future__ import annotations

import httpx
import pytest

from shared.laws import ack_durable, idempotent_same
from tests.chaos.claims import acks, replies, unanswered
from tests.chaos.history import Attempt, Outcome, Request

IN_LOG = {("order", "place o-1")}


def asked(
    *said: tuple[Outcome, str], kind: str = "place", body: str = "a card", expected: tuple[str, ...] = ()
) -> Request:
    """A request under always the same key, with the outcome of each attempt: what it named, or why not."""
    request = Request(kind, "somebody", httpx.AsyncClient(), "/v1/orders", {"wishes": body}, "key", expected=expected)
    for outcome, what in said:
        code, answer = ("", what) if outcome == "ok" else (what, "")
        request.attempts.append(Attempt(kind, "key", 0, 0, 0, outcome, code, answer))
    return request


def test_what_was_acknowledged_must_be_in_the_log() -> None:
    assert ack_durable(acks([asked(("unknown", ""), ("ok", "o-1"))]), IN_LOG).ok
    assert not ack_durable(acks([asked(("ok", "o-2"))]), IN_LOG).ok


def test_the_same_request_is_answered_alike() -> None:
    assert idempotent_same(replies([asked(("ok", "o-1"), ("unknown", ""), ("ok", "o-1"))])).ok
    assert not idempotent_same(replies([asked(("ok", "o-1"), ("ok", "o-2"))])).ok
    assert not idempotent_same(replies([asked(("ok", "o-1"), ("failed", "too-late"))])).ok


def test_another_body_under_the_same_key_is_a_conflict() -> None:
    first = asked(("ok", "o-1"))

    assert idempotent_same(replies([first, asked(("failed", "idempotency-conflict"), body="another card")])).ok
    assert not idempotent_same(replies([first, asked(("ok", "o-1"), body="another card")])).ok
    assert not idempotent_same(replies([first, asked(("failed", "idempotency-conflict"))])).ok


@pytest.mark.parametrize(
    "request_",
    [
        asked(("unknown", "outcome-unknown")),
        asked(("failed", "unknown-order")),
        asked(("ok", "o-1"), kind="conflict"),
    ],
)
def test_no_answer_and_a_strange_one_are_complained_of(request_: Request) -> None:
    assert len(list(unanswered([request_]))) == 1


def test_a_no_that_may_be_right_is_not_complained_of() -> None:
    assert not list(unanswered([asked(("failed", "too-late"), kind="cancel", expected=("too-late",))]))
