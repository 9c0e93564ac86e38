"""The wire format of batches, heads, pulls, commands and replies: one JSON array a message.

Hashes of a log's chain are headers beside the body, so that a reader that does not know them can still read the body.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass, field
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
    """A message body that does not have this wire format."""


@dataclass(frozen=True, slots=True)
class LogHead:
    """The head of a log and the hash there, announced by its log server, or by a writer that starts.

    `asks`: the readers of the log must answer with a KnownPosition; the writer waits for them before it decides.
    """

    source: str
    position: int
    hash: bytes = field(default=b"", compare=False)
    asks: bool = field(default=False, compare=False)


@dataclass(frozen=True, slots=True)
class KnownPosition:
    """How far a reader has applied a log, and the hash there (empty: not known); sent to the log's owner."""

    reader: str
    source: str
    position: int
    hash: bytes = field(default=b"", compare=False)


@dataclass(frozen=True, slots=True)
class ReadModelPosition:
    """How far a read side has applied each log, its own included; published for the processes that query its tables."""

    reader: str
    positions: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Pull:
    """A reader's request to a log server for the events behind position `after`; the batches go to `queue`.

    `hash` is the chain's hash at `after`, as the reader has applied it; empty when not known.
    """

    source: str
    after: int
    limit: int
    queue: str
    hash: bytes = field(default=b"", compare=False)


@dataclass(frozen=True, slots=True)
class CommandEnvelope:
    """A command with the queue for its reply. The reply carries the same `ticket`."""

    message: CommandMessage
    ticket: str
    reply_to: str


@dataclass(frozen=True, slots=True)
class ReplyEnvelope:
    """A reply with the ticket of its command."""

    ticket: str
    reply: Reply


_REPLY = TypeAdapter(Reply)
_BATCH = "slice"  # the tag of a batch of events; older versions send and expect it
_BEFORE, _HASH, _ASKS = "before", "hash", "asks"
_EVENT = (int, str, int, str, str, str, str, str)

MessageBody = (
    EventBatch
    | LogHead
    | ReadModelPosition
    | Pull
    | KnownPosition
    | Divergence
    | list[CommandEnvelope]
    | list[ReplyEnvelope]
)


def encode(body: MessageBody) -> bytes:
    """The body of one message; commands, or replies, are lists. Raises Malformed when a value can't be JSON."""
    try:
        return orjson.dumps(_plain(body))
    except orjson.JSONEncodeError as error:
        raise Malformed(f"a value can't be JSON: {error}") from error


def size_of(recorded: RecordedEvent) -> int:
    """About how many bytes an event takes in a batch."""
    return len(recorded.data) + len(recorded.meta_json)


def headers(body: MessageBody) -> dict[str, str]:
    """The headers of a message with this body."""
    found = {
        name: value.hex() for name in (_BEFORE, _HASH) if isinstance(value := getattr(body, name, b""), bytes) and value
    }
    return found | {_ASKS: "1"} if isinstance(body, LogHead) and body.asks else found


def in_parts(part: EventBatch) -> Iterator[EventBatch]:
    """Split a batch into batches of at most MAX_EVENTS events and about MAX_BYTES each."""
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


def _plain(body: MessageBody) -> list[Any]:
    match body:
        case EventBatch():
            return [_BATCH, body.source, body.first, body.last, [_event(recorded) for recorded in body.events]]
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
            return ["commands", *(_row_of(one) for one in body if isinstance(one, CommandEnvelope))]
        case [ReplyEnvelope(), *_]:
            return ["replies", *([one.ticket, one.reply] for one in body if isinstance(one, ReplyEnvelope))]
    raise Malformed("nothing to send")


def _event(recorded: RecordedEvent) -> list[Any]:
    return [
        recorded.position, recorded.stream, recorded.version, recorded.id, recorded.type,
        recorded.data, recorded.meta_json, to_text(recorded.at),
    ]  # fmt: skip


def _row_of(envelope: CommandEnvelope) -> list[str]:
    message = envelope.message
    return [
        envelope.ticket, envelope.reply_to, message.id, message.command.type(),
        message.command.model_dump_json(), message.meta.model_dump_json(),
    ]  # fmt: skip


def decode(
    body: bytes | str, heard: Container[str] | None = None, beside: Mapping[str, Any] | None = None
) -> MessageBody:
    """Decode a message body and the headers `beside` it. With `heard`, a batch holds only the events with these names
    and those whose names this code does not know.

    Raises Malformed, whose text repeats nothing of the body: bodies may hold secrets.
    """
    try:
        match orjson.loads(body):
            case [tag, str(source), int(first), int(last), list(events)] if tag == _BATCH:
                return _batch(source, first, last, events, heard, beside or {})
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
                return [_command_of(row) for row in rows[1:]]
            case ["replies", _, *_] as rows:
                return [_reply_of(row) for row in rows[1:]]
    except Malformed:
        raise
    except (ValueError, UnknownMessage, RecursionError) as error:
        raise Malformed(f"not a message of ours: {type(error).__name__}") from None
    raise Malformed("not a message of ours")


def _positions(values: dict[Any, Any]) -> dict[str, int]:
    if not all(isinstance(position, int) for position in values.values()):
        raise Malformed("not positions")
    return values


_moment = lru_cache(maxsize=1_000)(datetime.fromisoformat)  # the events of a commit share one


def _hash(beside: Mapping[str, Any] | None, name: str) -> bytes:
    text = (beside or {}).get(name, "")
    return bytes.fromhex(text if isinstance(text, str) else text.decode("ascii"))


def _batch(
    source: str, first: int, last: int, rows: list[Any], heard: Container[str] | None, beside: Mapping[str, Any]
) -> EventBatch:
    for row in rows:
        if not isinstance(row, list) or tuple(map(type, row)) != _EVENT:
            raise Malformed("not an event")
    if [row[0] for row in rows] != list(range(first, first + len(rows))):
        raise Malformed("a batch with a gap")
    if last != first + len(rows) - 1:
        raise Malformed("a batch that is not as long as it says")
    events = [
        _recorded(source, row)
        for row in rows
        if heard is None or (name := name_of(row[4])) in heard or not is_event(name)
    ]
    return EventBatch(source, first, last, events, _hash(beside, _BEFORE), _hash(beside, _HASH))


def _recorded(source: str, row: list[Any]) -> RecordedEvent:
    position, stream, version, id_, type_, data, meta, at = row
    return RecordedEvent(source, position, stream, version, id_, type_, data, meta, _moment(at))


def _command_of(row: Any) -> CommandEnvelope:
    match row:
        case [str(ticket), str(reply_to), str(id_), str(type_), str(data), str(meta)]:
            message = CommandMessage(id_, decode_command(type_, data), Metadata.model_validate_json(meta))
            return CommandEnvelope(message, ticket, reply_to)
    raise Malformed("not a command")


def _reply_of(row: Any) -> ReplyEnvelope:
    match row:
        case [str(ticket), dict(reply)]:
            return ReplyEnvelope(ticket, _REPLY.validate_python(reply))
    raise Malformed("not a reply")
