"""What every read model is made of."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any, ClassVar, Protocol, TypeVar

import sqlalchemy as sa

from shared.contracts import Event
from shared.eventstore.log import to_text
from shared.eventstore.recorded import RecordedEvent
from shared.projections.projection import Key, RowCache

metadata = sa.MetaData()
Fold = Callable[[Any, Any, RecordedEvent], None]
F = TypeVar("F", bound=Fold)
iso = lru_cache(maxsize=1_000)(to_text)  # the events of a batch share their times


class OpenRows(Protocol):
    def __call__(self, table: sa.Table, keep: int = ...) -> RowCache: ...


def folds(*events: type[Event]) -> Callable[[F], F]:
    """Marks the method of a view that folds these events."""

    def mark(method: F) -> F:
        method.__dict__["folds"] = events
        return method

    return mark


class ResourceProjection:
    """One read model. `handlers` names the events it folds, each by the method marked with `folds`."""

    handlers: ClassVar[Mapping[type[Event], Fold]] = {}

    def __init_subclass__(cls) -> None:
        cls.handlers = {
            event: method for method in vars(cls).values() for event in getattr(method, "__dict__", {}).get("folds", ())
        }

    def __init__(self, rows: OpenRows) -> None:
        """Open the tables this view writes."""
        raise NotImplementedError

    def reads(self, event: Any) -> Iterable[tuple[RowCache, Key]]:
        """The rows that folding the event reads, with their keys: they are looked up for a whole batch at once."""
        return ()
