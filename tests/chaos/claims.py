"""The answers that clients got, in the words of the laws."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from shared.contracts.order import OrderPlaced
from shared.laws import Ack, ReceivedReply
from tests.chaos.history import Request

SERVICE = "order"


def acks(requests: Iterable[Request]) -> Iterator[Ack]:
    """Every yes; its id is `<kind> <what was named in the answer>`."""
    for request in requests:
        for attempt in request.attempts:
            if attempt.outcome == "ok":
                yield Ack(SERVICE, f"{request.kind} {attempt.answer}", 0, "accepted")


def replies(requests: Iterable[Request]) -> Iterator[ReceivedReply]:
    """Every answer, yes or no, by who asked and under which key."""
    for request in requests:
        id_ = f"{request.who} {request.path} {request.key}"
        for attempt in request.attempts:
            if attempt.outcome == "ok":
                yield ReceivedReply(id_, request.fingerprint, "accepted", attempt.answer)
            elif attempt.code == "idempotency-conflict":
                yield ReceivedReply(id_, request.fingerprint, "conflict")
            elif attempt.outcome == "failed":
                yield ReceivedReply(id_, request.fingerprint, "refused", attempt.code)


def unanswered(requests: Iterable[Request]) -> Iterator[str]:
    """Complaints about requests whose outcome nobody knows, and about answers that can't be right."""
    for request in requests:
        last = request.last
        if last.outcome == "unknown":
            yield f"nobody knows what became of {request.kind} {request.key}: {last.status} {last.code}"
        elif last.outcome == "failed" and last.code not in request.expected:
            yield f"{request.kind} {request.key} was refused: {last.status} {last.code}"
        elif last.outcome == "ok" and request.kind == "conflict":
            yield f"{request.key} was taken for two orders"


def altered(requests: Iterable[Request], placed: Mapping[str, OrderPlaced]) -> Iterator[str]:
    """Complaints about orders, by id, that are not of what was asked for."""
    for request in requests:
        if request.kind != "place" or request.outcome != "ok" or request.last.answer not in placed:
            continue
        lines = [(line.sku, line.quantity, line.target) for line in placed[request.last.answer].lines]
        wishes = [(wish["sku"], wish["quantity"], wish.get("target")) for wish in request.body["wishes"]]
        if lines != wishes:
            yield f"{request.last.answer} is of {lines}, asked for were {wishes}"
