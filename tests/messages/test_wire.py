"""Message bodies: what is encoded comes back, and nothing else is let in."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.contracts import Event, Metadata
from shared.contracts.registry import commands, events
from shared.eventstore.divergence import Divergence
from shared.eventstore.recorded import RecordedEvent
from shared.messages import wire
from shared.messages.messages import CommandMessage, EventBatch, Reply
from shared.messages.wire import (
    CommandEnvelope,
    KnownPosition,
    LogHead,
    Malformed,
    Pull,
    ReadModelPosition,
    ReplyEnvelope,
    decode,
    encode,
    headers,
)
from tests.contracts.strategies import messages
from tests.runtime.builders import press, presses

UNHURRIED = settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
OURS = "shared.contracts."

text = st.text(st.characters(codec="utf-8"), max_size=20)
position = st.integers(0, 2**62)
number = st.integers(-(2**63), 2**64 - 1)
hashes = st.binary(min_size=32, max_size=32) | st.just(b"")
facts = st.dictionaries(text, st.one_of(text, number), max_size=3)
moment = st.datetimes(datetime(1970, 1, 1), datetime(2999, 1, 1)).map(lambda at: at.replace(tzinfo=UTC, fold=0))  # noqa: DTZ001
any_event = st.sampled_from([cls for cls in events().values() if cls.__module__.startswith(OURS)]).flatmap(messages)
any_command = st.sampled_from([cls for cls in commands().values() if cls.__module__.startswith(OURS)]).flatmap(messages)

replies = st.builds(
    Reply,
    outcome=st.sampled_from(["accepted", "refused", "conflict", "failed"]),
    source=text,
    position=position,
    answer=st.dictionaries(text, st.one_of(text, number, st.none(), st.booleans(), facts), max_size=3),
    code=text,
    detail=text,
    status=st.integers(200, 599),
    facts=facts,
    repeated=st.booleans(),
)
asked = st.builds(CommandEnvelope, st.builds(CommandMessage, text, any_command, messages(Metadata)), text, text)


@st.composite
def batches(draw: st.DrawFn) -> EventBatch:
    source, after = draw(text), draw(position)
    rows = draw(st.lists(st.tuples(text, position, text, any_event, messages(Metadata), moment), max_size=3))
    recorded = [
        RecordedEvent(
            source, after + n, stream, version, id_, event.type(), event.model_dump_json(), meta.model_dump_json(), at
        )
        for n, (stream, version, id_, event, meta, at) in enumerate(rows, start=1)
    ]  # fmt: skip
    for one in recorded:
        one.hash = draw(hashes)
    last = recorded[-1].hash if recorded else draw(hashes)
    return EventBatch(source, after + 1, after + len(recorded), recorded, draw(hashes), last)


@given(
    body=st.one_of(
        batches(),
        st.builds(LogHead, text, position, hashes, st.booleans()),
        st.builds(ReadModelPosition, text, st.dictionaries(text, position, max_size=3)),
        st.builds(Pull, text, position, position, text, hashes),
        st.builds(KnownPosition, text, text, position, hashes),
        st.builds(Divergence, text, text, position, position),
        st.lists(asked, min_size=1, max_size=3),
        st.lists(st.builds(ReplyEnvelope, text, replies), min_size=1, max_size=3),
    )
)
@UNHURRIED
def test_every_body_survives_its_journey(body: Any) -> None:
    assert decode(encode(body)) == body  # whoever does not look beside it
    assert repr(decode(encode(body), beside=headers(body))) == repr(body)


@given(batches(), st.integers(1, 3), st.integers(1, 2_000))
@UNHURRIED
def test_a_long_stretch_goes_in_several_bodies(part: EventBatch, most_events: int, most_bytes: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(wire, "MAX_EVENTS", most_events)
        patch.setattr(wire, "MAX_BYTES", most_bytes)
        arrived = [decode(encode(one), beside=headers(one)) for one in wire.in_parts(part)]

    parts = [one for one in arrived if isinstance(one, EventBatch)]
    assert [event for one in parts for event in one.events] == list(part.events)
    assert [one.first for one in parts] == [part.first, *(one.last + 1 for one in parts[:-1])]
    assert parts[-1].last == part.last
    assert [one.before for one in parts] == [part.before, *(one.hash for one in parts[:-1])]
    assert parts[-1].hash == part.hash
    for one in parts:
        assert len(one.events) <= most_events
        assert len(one.events) <= 1 or sum(map(wire.size_of, one.events)) <= most_bytes


@UNHURRIED
@given(batches(), st.data())
def test_a_reader_is_given_what_it_hears_of_a_slice_that_is_whole(part: EventBatch, data: st.DataObject) -> None:
    heard = set(data.draw(st.lists(st.sampled_from([event.name for event in part.events] or ["OrderPlaced"]))))

    got = decode(encode(part), heard)

    assert got == replace(part, events=[event for event in part.events if event.name in heard])


@given(batches())
@UNHURRIED
def test_events_arrive_as_the_log_holds_them(part: EventBatch) -> None:
    arrived = decode(encode(part))
    assert isinstance(arrived, EventBatch)
    assert [one.data for one in arrived.events] == [one.data for one in part.events]
    assert all(isinstance(one.event, Event) for one in arrived.events)


@pytest.mark.parametrize("nothing", [[], None, "text"])
def test_nothing_is_not_sent(nothing: Any) -> None:
    with pytest.raises(Malformed):
        encode(nothing)


def test_what_is_no_text_is_not_sent() -> None:
    with pytest.raises(Malformed):
        encode(Pull("button", 1, 1, "\ud800"))


# What is not ours


json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), text), lambda inner: st.lists(inner, max_size=4), max_leaves=8
)
kinds = st.sampled_from(["slice", "head", "shown", "pull", "known", "diverged", "commands", "replies"])


@given(st.one_of(st.binary(max_size=40), json_values.map(json.dumps)))
@UNHURRIED
def test_anything_else_is_malformed(body: bytes | str) -> None:
    with pytest.raises(Malformed):
        decode(body)


@given(kinds, st.lists(json_values, max_size=5))
@settings(UNHURRIED, max_examples=200)
def test_what_only_looks_like_ours_is_malformed_or_whole(kind: str, rest: list[Any]) -> None:
    try:
        found = decode(json.dumps([kind, *rest]))
    except Malformed:
        return
    assert decode(encode(found)) == found


def tampered(body: Any, path: list[int], value: Any) -> str:
    plain = json.loads(encode(body))
    inner = plain
    for index in path[:-1]:
        inner = inner[index]
    inner[path[-1]] = value
    return json.dumps(plain)


PART = presses(5, "a", "b", "c")
COMMAND = [CommandEnvelope(press("1"), "ticket", "queue")]
REPLY = [ReplyEnvelope("ticket", Reply("accepted", "button", 1))]


@pytest.mark.parametrize(
    "body",
    [
        tampered(PART, [2], 4),
        tampered(PART, [3], 8),
        tampered(PART, [4, 1, 0], 5),
        tampered(PART, [4, 0], ["too", "short"]),
        tampered(PART, [4, 0], 7),
        tampered(PART, [4, 0, 7], "yesterday"),
        tampered(COMMAND, [1], []),
        tampered(COMMAND, [1, 3], "NoSuchCommand.v1"),
        tampered(COMMAND, [1, 3], "ToyPress.v99"),
        tampered(COMMAND, [1, 3], "ToyPress"),
        tampered(COMMAND, [1, 4], "{}"),
        tampered(COMMAND, [1, 5], "{"),
        tampered(REPLY, [1], ["ticket"]),
        tampered(REPLY, [1, 1], {"outcome": "accepted"}),
        tampered(REPLY, [1, 1], {"outcome": "maybe", "source": "button", "position": 1}),
        "[" * 100_000,
        b"\xff",
        "",
    ],
    ids=range(18),
)
def test_a_body_that_is_not_whole_is_malformed(body: bytes | str) -> None:
    with pytest.raises(Malformed):
        decode(body)


def test_an_error_repeats_nothing_of_the_body() -> None:
    secret = "K3Y-0F-A-BUYER"
    with pytest.raises(Malformed) as caught:
        decode(tampered(COMMAND, [1, 4], json.dumps({"button": [secret]})))
    assert secret not in repr(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_a_field_that_a_newer_one_added_to_replies_is_ignored() -> None:
    row = {"outcome": "accepted", "source": "button", "position": 1, "since": "tomorrow"}
    assert decode(tampered(REPLY, [1, 1], row)) == [replace(REPLY[0], reply=Reply("accepted", "button", 1))]
