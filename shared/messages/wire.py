"""How slices, heads, pulls, commands and replies look on the wire: JSON, one array or object a message.

Hashes of a log's chain travel beside the body, as headers: who knows none of them reads the body all the same.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any

import orjson
from pydantic import TypeAdapter

from shared.contracts import Metadata, UnknownMessage, decode_command, is_event
from shared.eventstore.divergence import Divergence
from shared.eventstore.log import to_text
from shared.eventstore.recorded import RecordedEvent, name_of
from shared.messages.messages import CommandMessage, EventBatch, Reply

MAX_EVENTS = 1_000
MAX_BYTES = 4 * 1024 * 1024


class Malformed(ValueError):
    """A message body that is not of the form described here."""


@dataclass(frozen=True, slots=True)
class LogHead:
    """A log server, or a writer that has just begun, says how far its log reaches, and the hash there.

    `asks`: whoever reads the log is to say how far it has come (`KnownPosition`), before the writer decides anything.
    """

    source: str
    position: int
    hash: bytes = field(default=b"", compare=False)
    asks: bool = field(default=False, compare=False)


@dataclass(frozen=True, slots=True)
class KnownPosition:
    """A reader tells the owner of a log how far it has applied it, and the hash there (empty: not known)."""

    reader: str
    source: str
    position: int
    hash: bytes = field(default=b"", compare=False)


@dataclass(frozen=True, slots=True)
class ReadModelPosition:
    """A reader says how far it has applied each log, its own included, for those who query its tables."""

    reader: str
    positions: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Pull:
    """A reader asks a log server for the events behind a position, to be sent to `queue` as slices.

    `hash` is that of the chain at the position, as the reader has applied it; empty when it does not know.
    """

    source: str
    after: int
    limit: int
    queue: str
    hash: bytes = field(default=b"", compare=False)


@dataclass(frozen=True, slots=True)
class CommandEnvelope:
    """A command with the queue its reply is wanted in; `ticket` comes back with the reply."""

    message: CommandMessage
    ticket: str
    reply_to: str


@dataclass(frozen=True, slots=True)
class ReplyEnvelope:
    """A reply with the ticket it was asked under."""

    ticket: str
    reply: Reply


_REPLY = TypeAdapter(Reply)
_BEFORE, _HASH, _ASKS = "before", "hash", "asks"
_EVENT = (int, str, int, str, str, str, str, str)

Wire = (
    EventBatch
    | LogHead
    | ReadModelPosition
    | Pull
    | KnownPosition
    | Divergence
    | list[CommandEnvelope]
    | list[ReplyEnvelope]
)


def encode(body: Wire) -> bytes:
    """One message body. Commands, and replies, may share one: they are lists. Raises Malformed for what is no JSON."""
    try:
        return orjson.dumps(_plain(body))
    except orjson.JSONEncodeError as error:
        raise Malformed(f"not to be sent: {error}") from error


def size_of(recorded: RecordedEvent) -> int:
    """About how many bytes an event takes in a slice."""
    return len(recorded.data) + len(recorded.meta_json)


def headers(body: Wire) -> dict[str, str]:
    """What travels beside a body."""
    told = {
        name: value.hex() for name in (_BEFORE, _HASH) if isinstance(value := getattr(body, name, b""), bytes) and value
    }
    return told | {_ASKS: "1"} if isinstance(body, LogHead) and body.asks else told


def in_parts(part: EventBatch) -> Iterator[EventBatch]:
    """A stretch of a log in pieces of bearable size: at most MAX_EVENTS and about MAX_BYTES each."""
    events: list[RecordedEvent] = []
    size, before = 0, part.before
    for recorded in part.events:
        size += size_of(recorded)
        if events and (size > MAX_BYTES or len(events) == MAX_EVENTS):
            yield EventBatch(part.source, events[0].position, events[-1].position, events, before, events[-1].hash)
            before = events[-1].hash
            events, size = [], size_of(recorded)
        events.append(recorded)
    yield EventBatch(part.source, events[0].position if events else part.first, part.last, events, before, part.hash)


def _plain(body: Wire) -> list[Any]:
    match body:
        case EventBatch():
            return ["slice", body.source, body.first, body.last, [_event(recorded) for recorded in body.events]]
        case LogHead():
            return ["head", body.source, body.position]
        case ReadModelPosition():
            return ["shown", body.reader, dict(body.positions)]
        case Pull():
            return ["pull", body.source, body.after, body.limit, body.queue]
        case KnownPosition():
            return ["known", body.reader, body.source, body.position]
        case Divergence():
            return ["diverged", body.reader, body.source, body.position, body.head]
        case [CommandEnvelope(), *_]:
            return ["commands", *(_asked(asked) for asked in body if isinstance(asked, CommandEnvelope))]
        case [ReplyEnvelope(), *_]:
            return ["replies", *([one.ticket, asdict(one.reply)] for one in body if isinstance(one, ReplyEnvelope))]
    raise Malformed("nothing to send")


def _event(recorded: RecordedEvent) -> list[Any]:
    return [
        recorded.position, recorded.stream, recorded.version, recorded.id, recorded.type,
        recorded.data, recorded.meta_json, to_text(recorded.at),
    ]  # fmt: skip


def _asked(asked: CommandEnvelope) -> list[str]:
    message = asked.message
    return [
        asked.ticket, asked.reply_to, message.id, message.command.type(),
        message.command.model_dump_json(), message.meta.model_dump_json(),
    ]  # fmt: skip


def decode(body: bytes | str, heard: Container[str] | None = None, beside: Mapping[str, Any] | None = None) -> Wire:
    """What a message body holds, with the headers `beside` it; of a slice's events those only whose names are `heard`,
    if that is given, and those that this code does not know.

    Raises Malformed, which never repeats any of it: bodies may hold secrets.
    """
    try:
        match orjson.loads(body):
            case ["slice", str(source), int(first), int(last), list(events)]:
                return _slice(source, first, last, events, heard, beside or {})
            case ["head", str(source), int(position)]:
                return LogHead(source, position, _hash(beside, _HASH), bool(beside) and _ASKS in beside)
            case ["shown", str(reader), dict(positions)]:
                return ReadModelPosition(reader, _positions(positions))
            case ["pull", str(source), int(after), int(limit), str(queue)]:
                return Pull(source, after, limit, queue, _hash(beside, _HASH))
            case ["known", str(reader), str(source), int(position)]:
                return KnownPosition(reader, source, position, _hash(beside, _HASH))
            case ["diverged", str(reader), str(source), int(position), int(head)]:
                return Divergence(reader, source, position, head)
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


def _hash(beside: Mapping[str, Any] | None, name: str) -> bytes:
    told = (beside or {}).get(name, "")
    return bytes.fromhex(told if isinstance(told, str) else told.decode("ascii"))


def _slice(
    source: str, first: int, last: int, rows: list[Any], heard: Container[str] | None, beside: Mapping[str, Any]
) -> EventBatch:
    for row in rows:
        if not isinstance(row, list) or tuple(map(type, row)) != _EVENT:
            raise Malformed("not an event")
    if [row[0] for row in rows] != list(range(first, first + len(rows))):
        raise Malformed("a slice with a gap")
    if last != first + len(rows) - 1:
        raise Malformed("a slice that is not as long as it says")
    events = [
        _recorded(source, row)
        for row in rows
        if heard is None or (name := name_of(row[4])) in heard or not is_event(name)
    ]
    return EventBatch(source, first, last, events, _hash(beside, _BEFORE), _hash(beside, _HASH))


def _recorded(source: str, row: list[Any]) -> RecordedEvent:
    position, stream, version, id_, type_, data, meta, at = row
    return RecordedEvent(source, position, stream, version, id_, type_, data, meta, _moment(at))


def _asking(row: Any) -> CommandEnvelope:
    match row:
        case [str(ticket), str(reply_to), str(id_), str(type_), str(data), str(meta)]:
            message = CommandMessage(id_, decode_command(type_, data), Metadata.model_validate_json(meta))
            return CommandEnvelope(message, ticket, reply_to)
    raise Malformed("not a command")


def _answering(row: Any) -> ReplyEnvelope:
    match row:
        case [str(ticket), dict(reply)]:
            return ReplyEnvelope(ticket, _REPLY.validate_python(reply))
    raise Malformed("not a reply")
