"""Short ways to say what the kernel's tests say often."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.exc import OperationalError

from shared.contracts import Command, Event, Metadata
from shared.eventstore import chain_check, log_reader, schema
from shared.eventstore.pipeline import PipelinedConnection
from shared.eventstore.recorded import RecordedEvent
from shared.messages.messages import CommandMessage, EventBatch, Reply
from shared.runtime.clock import Clock
from shared.runtime.ids import Ids
from shared.runtime.service import HostContext, Service
from shared.runtime.settings import Settings
from shared.security.secrets import Secrets
from shared.writer.writer import Writer
from tests.runtime.toy import (
    ToyLight,
    ToyLit,
    ToyPress,
    ToyPressed,
)

START = datetime(2026, 1, 1, 8, 0, tzinfo=UTC)
META = Metadata(correlation_id="flow", causation_id="cause", actor="system:test")


class ManualClock:
    """A clock that moves when a test moves it."""

    def __init__(self, now: datetime = START) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


def start(service: Service, engine: sa.Engine, clock: ManualClock | None = None) -> Writer:
    """A started writer; starting one more on the same engine is a restart."""
    nowhere = Path("/nonexistent")
    now = clock or ManualClock()
    context = HostContext(Settings(var=nowhere), Clock(now), Ids(now), Secrets(nowhere))
    writer = Writer(service, engine, context)
    writer.start()
    return writer


def send(id_: str, command: Command) -> CommandMessage:
    """A command on its way."""
    return CommandMessage(id_, command, META)


def press(id_: str, button: str = "a", **fields: Any) -> CommandMessage:
    """A press of a button on its way."""
    return send(id_, ToyPress(button=button, **fields))


def lit(events: list[Event]) -> list[tuple[str, str]]:
    """Which lamps were lit, and the notes, in order."""
    return [(one.lamp, one.note) for one in events if isinstance(one, ToyLit)]


def press_lamp(id_: str, name: str, note: str = "") -> CommandMessage:
    """A lamp lit by hand, on its way."""
    return send(id_, ToyLight(lamp=name, press="by hand", note=note))


def replies(writer: Writer, *works: Any) -> list[Reply]:
    """What the writer answers to these commands, in order."""
    return [reply for _, reply in writer.process(works).replies]


def recorded(position: int, event_: Event, *, source: str = "button", version: int = 1) -> RecordedEvent:
    """An event as its log holds it."""
    return RecordedEvent(
        source, position, f"{source}-{event_.partition_key()}", version, f"id-{source}-{position}", event_.type(),
        event_.model_dump_json(), META.model_dump_json(), START,
    )  # fmt: skip


def presses(first: int, *notes: str, button: str = "a") -> EventBatch:
    """A stretch of the button's log."""
    events = [recorded(first + n, ToyPressed(button=button, note=note)) for n, note in enumerate(notes)]
    return EventBatch("button", first, first + len(notes) - 1, events)


def pressed(first: int, *pairs: tuple[str, str]) -> EventBatch:
    """A stretch of the button's log, of pairs of a button and a note."""
    events = [recorded(first + n, ToyPressed(button=b, note=note)) for n, (b, note) in enumerate(pairs)]
    return EventBatch("button", first, first + len(pairs) - 1, events)


def logged(writer: Writer) -> list[Event]:
    """All events of the writer's log, checked to be gap-free and chained."""
    found = list(log_reader.read_all(writer.engine, writer.service.name))
    assert [one.position for one in found] == list(range(1, len(found) + 1))
    assert chain_check.check_chain(writer.engine) is None
    return [one.event for one in found]


def rows(engine: sa.Engine, table: sa.Table) -> list[dict[str, Any]]:
    """The rows of a table by primary key."""
    with engine.connect() as connection:
        found = connection.execute(sa.select(table).order_by(*table.primary_key.columns))
        return [dict(row) for row in found.mappings()]


def parked(writer: Writer) -> list[str]:
    """The ids of what is parked, in order of arrival."""
    return [row["id"] for row in sorted(rows(writer.engine, schema.parked), key=lambda row: row["number"])]


@contextmanager
def seeing(engine: sa.Engine, see: Callable[[str], None]) -> Iterator[None]:
    """Meanwhile, `see` is told each SQL statement before it is executed; one for many rows that PostgreSQL is sent in a
    message, once."""
    exchange = PipelinedConnection._exchange

    def before(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        see(statement)

    def exchanged(connection: PipelinedConnection, *steps: Any) -> Any:
        for text in dict.fromkeys(step.prepared.text.decode() for step in steps):
            see(text)
        return exchange(connection, *steps)

    event.listen(engine, "before_cursor_execute", before)
    try:
        with patch.object(PipelinedConnection, "_exchange", exchanged):
            yield
    finally:
        event.remove(engine, "before_cursor_execute", before)


@contextmanager
def statements(engine: sa.Engine) -> Iterator[list[str]]:
    """The SQL statements that were executed meanwhile."""
    seen: list[str] = []
    with seeing(engine, seen.append):
        yield seen


class Outage(OperationalError):
    """The database is gone."""

    def __init__(self) -> None:
        super().__init__("", {}, Exception("connection lost"))


@contextmanager
def failing(engine: sa.Engine, containing: str, *, after: int = 0, error: type[Exception] = Outage) -> Iterator[None]:
    """Meanwhile, statements with this text raise, from the one after the first `after` on."""
    count = 0

    def fail(statement: str) -> None:
        nonlocal count
        if containing in statement:
            count += 1
            if count > after:
                raise error

    with seeing(engine, fail):
        yield


@contextmanager
def failing_commit(engine: sa.Engine, *, committed: bool) -> Iterator[None]:
    """Meanwhile, commits raise: before they happen, or after (a lost acknowledgement)."""
    real = engine.dialect.do_commit

    def fail(connection: Any) -> None:
        if committed:
            real(connection)
        else:
            engine.dialect.do_rollback(connection)
        raise Outage

    engine.dialect.do_commit = fail  # pyright: ignore[reportAttributeAccessIssue]
    try:
        yield
    finally:
        engine.dialect.do_commit = real  # pyright: ignore[reportAttributeAccessIssue]


def tells(reply: Reply) -> tuple[str, dict[str, Any]]:
    """The outcome and answer of a reply."""
    return reply.outcome, dict(reply.answer)
