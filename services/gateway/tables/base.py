"""What every read model is made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar, Protocol, TypeVar

import sqlalchemy as sa

from shared.contracts import Event
from shared.eventlog.recorded import Recorded
from shared.eventlog.tables import Rows

metadata = sa.MetaData()
Fold = Callable[[Any, Any, Recorded], None]
F = TypeVar("F", bound=Fold)


class OpenRows(Protocol):
    def __call__(self, table: sa.Table, keep: int = ...) -> Rows: ...


def iso(at: datetime) -> str:
    """A time as UTC text of fixed width, which sorts as the times do."""
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def folds(*events: type[Event]) -> Callable[[F], F]:
    """Marks the method of a view that folds these events."""

    def mark(method: F) -> F:
        method.__dict__["folds"] = events
        return method

    return mark


class View:
    """One read model. `handlers` names the events it folds, each by the method marked with `folds`."""

    handlers: ClassVar[Mapping[type[Event], Fold]] = {}

    def __init_subclass__(cls) -> None:
        cls.handlers = {
            event: method for method in vars(cls).values() for event in getattr(method, "__dict__", {}).get("folds", ())
        }

    def __init__(self, rows: OpenRows) -> None:
        """Open the tables this view writes."""
        raise NotImplementedError
