"""The base class of the gateway's read models."""

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
    """Marks the method of a resource projection that folds these events."""

    def mark(method: F) -> F:
        method.__dict__["folds"] = events
        return method

    return mark


class ResourceProjection:
    """One read model. `handlers` maps each event that it folds to the method marked with `folds`."""

    handlers: ClassVar[Mapping[type[Event], Fold]] = {}

    def __init_subclass__(cls) -> None:
        cls.handlers = {
            event: method for method in vars(cls).values() for event in getattr(method, "__dict__", {}).get("folds", ())
        }

    def __init__(self, rows: OpenRows) -> None:
        """Open the tables that this projection writes."""
        raise NotImplementedError

    def reads(self, event: Any) -> Iterable[tuple[RowCache, Key]]:
        """The rows that folding this event reads, with their keys. They are fetched for a whole batch at once."""
        return ()
