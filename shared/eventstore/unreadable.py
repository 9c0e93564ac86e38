"""Describes events and databases that this code can't read, for people."""

from __future__ import annotations

from collections.abc import Container, Iterator
from contextlib import contextmanager

import sqlalchemy as sa
from pydantic import ValidationError
from sqlalchemy.exc import DBAPIError

from shared.contracts import UnknownMessage, check_event, owner_of
from shared.eventstore import log_reader
from shared.eventstore.engines import is_unreachable
from shared.eventstore.recorded import RecordedEvent


class Unreadable(Exception):
    """An event can't be read. The text says which one, why, and what to do; it repeats nothing of the event's data."""


@contextmanager
def reading(recorded: RecordedEvent) -> Iterator[None]:
    """Raise any error in the `with` block as Unreadable, with the event's position."""
    try:
        yield
    except DBAPIError:
        raise
    except Exception as error:
        raise Unreadable(
            f"{recorded.source}: the event at position {recorded.position} ({recorded.type}) can't be read: "
            f"{_reason(error)}"
        ) from error


def unknown_events(connection: sa.Connection, source: str) -> list[str]:
    """Sentences about the events in a log whose types this code does not know: newer code has written them."""
    lines = []
    for type_, position, count in log_reader.types(connection):
        try:
            check_event(type_)
        except UnknownMessage as error:
            more = f", and {count - 1} more of it" if count > 1 else ""
            lines.append(f"{source}: the event at position {position} ({type_}){more} can't be read: {_reason(error)}")
    return lines


def foreign_events(connection: sa.Connection, source: str, others: Container[str]) -> str:
    """A sentence about a log that holds events of another service, one of `others`; empty when it does not."""
    for type_, position, _ in log_reader.types(connection):
        owner = owner_of(type_)
        if owner != source and owner in others:
            return (
                f"its log holds events of {owner}, the first at position {position} ({type_}): this is the database of "
                f"{owner}, or was mixed with it; put the database of {source} back in its place"
            )
    return ""


def _reason(error: Exception) -> str:
    match error:
        case UnknownMessage():
            return f"{error}; use the version that wrote it"
        case ValidationError():
            return "its data do not have the form of this type; restore the log from a backup"
        case _:
            return f"{type(error).__name__}; restore the log from a backup, or report it when `verify` finds no change"


def described(error: Exception) -> str:
    """An error of reading a database or log as one line for people, without values."""
    if isinstance(error, DBAPIError):
        reason = (str(error.orig).strip().splitlines() or [type(error.orig).__name__])[0]
        if is_unreachable(error):
            return f"its database can't be reached ({reason}): check that it runs, and its address and password"
        return f"its database can't be read ({reason}); restore it from a backup"
    if isinstance(error, Unreadable | LookupError):
        return str(error.args[0]) if error.args else type(error).__name__
    return f"{type(error).__name__} while it was read; restore it from a backup"
