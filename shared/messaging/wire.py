"""How slices, heads, pulls, commands and replies look on the wire: JSON, one array or object a message."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

import orjson
from pydantic import TypeAdapter

from shared.contracts import Metadata, UnknownMessage, decode_command
from shared.eventlog.log import to_text
from shared.eventlog.recorded import Recorded, name_of
from shared.messaging.port import CommandMessage, Reply, Slice

MAX_EVENTS = 1_000
MAX_BYTES = 4 * 1024 * 1024


class Malformed(ValueError):
    """A message body that is not of the form described here."""


@dataclass(frozen=True, slots=True)
class Head:
    """A log server says how far its log reaches."""

    source: str
    position: int


@dataclass(frozen=True, slots=True)
class Shown:
    """A reader says how far it has applied each log, its own included, for those who query its tables."""

    reader: str
    positions: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Pull:
    """A reader asks a log server for the events behind a position, to be sent to `queue` as slices."""

    source: str
    after: int
    limit: int
    queue: str


@dataclass(frozen=True, slots=True)
class Asked:
    """A command with the queue its reply is wanted in; `ticket` comes back with the reply."""

    message: CommandMessage
    ticket: str
    reply_to: str


@dataclass(frozen=True, slots=True)
class Answered:
    """A reply with the ticket it was asked under."""

    ticket: str
    reply: Reply


_REPLY = TypeAdapter(Reply)
_EVENT = (int, str, int, str, str, str, str, str)

Wire = Slice | Head | Shown | Pull | list[Asked] | list[Answered]


def encode(body: Wire) -> bytes:
    """One message body. Commands, and replies, may share one: they are lists. Raises Malformed for what is no JSON."""
    try:
        return orjson.dumps(_plain(body))
    except orjson.JSONEncodeError as error:
        raise Malformed(f"not to be sent: {error}") from error


def size_of(recorded: Recorded) -> int:
    """About how many bytes an event takes in a slice."""
    return len(recorded.data) + len(recorded.meta_json)


def slices(part: Slice) -> Iterator[bytes]:
    """A stretch of a log as message bodies of bearable size: at most MAX_EVENTS and about MAX_BYTES each."""
    events: list[Recorded] = []
    size = 0
    for recorded in part.events:
        size += size_of(recorded)
        if events and (size > MAX_BYTES or len(events) == MAX_EVENTS):
            yield encode(Slice(part.source, events[0].position, events[-1].position, events))
            events, size = [], size_of(recorded)
        events.append(recorded)
    yield encode(Slice(part.source, events[0].position if events else part.first, part.last, events))


def _plain(body: Wire) -> list[Any]:
    match body:
        case Slice():
            return ["slice", body.source, body.first, body.last, [_event(recorded) for recorded in body.events]]
        case Head():
            return ["head", body.source, body.position]
        case Shown():
            return ["shown", body.reader, dict(body.positions)]
        case Pull():
            return ["pull", body.source, body.after, body.limit, body.queue]
        case [Asked(), *_]:
            return ["commands", *(_asked(asked) for asked in body if isinstance(asked, Asked))]
        case [Answered(), *_]:
            return ["replies", *([one.ticket, asdict(one.reply)] for one in body if isinstance(one, Answered))]
    raise Malformed("nothing to send")


def _event(recorded: Recorded) -> list[Any]:
    return [
        recorded.position, recorded.stream, recorded.version, recorded.id, recorded.type,
        recorded.data, recorded.meta_json, to_text(recorded.at),
    ]  # fmt: skip


def _asked(asked: Asked) -> list[str]:
    message = asked.message
    return [
        asked.ticket, asked.reply_to, message.id, message.command.type(),
        message.command.model_dump_json(), message.meta.model_dump_json(),
    ]  # fmt: skip


def decode(body: bytes | str, heard: Container[str] | None = None) -> Wire:
    """What a message body holds; of a slice's events those only whose names are `heard`, if that is given.

    Raises Malformed, which never repeats any of it: bodies may hold secrets.
    """
    try:
        match orjson.loads(body):
            case ["slice", str(source), int(first), int(last), list(events)]:
                return _slice(source, first, last, events, heard)
            case ["head", str(source), int(position)]:
                return Head(source, position)
            case ["shown", str(reader), dict(positions)]:
                return Shown(reader, _positions(positions))
            case ["pull", str(source), int(after), int(limit), str(queue)]:
                return Pull(source, after, limit, queue)
            case ["commands", _, *_] as rows:
                return [_asking(row) for row in rows[1:]]
            case ["replies", _, *_] as rows:
                return [_answering(row) for row in rows[1:]]
    except Malformed:
        raise
    except (ValueError, UnknownMessage, RecursionError) as error:
        raise Malformed(f"not a message of ours: {type(error).__name__}") from None
    raise Malformed("not a message of ours")


def _positions(told: dict[Any, Any]) -> dict[str, int]:
    if not all(isinstance(position, int) for position in told.values()):
        raise Malformed("not positions")
    return told


_moment = lru_cache(maxsize=1_000)(datetime.fromisoformat)  # the events of a commit share one


def _slice(source: str, first: int, last: int, rows: list[Any], heard: Container[str] | None) -> Slice:
    for row in rows:
        if not isinstance(row, list) or tuple(map(type, row)) != _EVENT:
            raise Malformed("not an event")
    if [row[0] for row in rows] != list(range(first, first + len(rows))):
        raise Malformed("a slice with a gap")
    if last != first + len(rows) - 1:
        raise Malformed("a slice that is not as long as it says")
    return Slice(
        source, first, last, [_recorded(source, row) for row in rows if heard is None or name_of(row[4]) in heard]
    )


def _recorded(source: str, row: list[Any]) -> Recorded:
    position, stream, version, id_, type_, data, meta, at = row
    return Recorded(source, position, stream, version, id_, type_, data, meta, _moment(at))


def _asking(row: Any) -> Asked:
    match row:
        case [str(ticket), str(reply_to), str(id_), str(type_), str(data), str(meta)]:
            message = CommandMessage(id_, decode_command(type_, data), Metadata.model_validate_json(meta))
            return Asked(message, ticket, reply_to)
    raise Malformed("not a command")


def _answering(row: Any) -> Answered:
    match row:
        case [str(ticket), dict(reply)]:
            return Answered(ticket, _REPLY.validate_python(reply))
    raise Malformed("not a reply")
