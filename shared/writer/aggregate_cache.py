"""Caches the states of aggregates; loads a state from its snapshot and the events behind it."""

from __future__ import annotations

import hashlib
import json
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

import sqlalchemy as sa
from pydantic import TypeAdapter

from shared.contracts import Event
from shared.eventstore import schema
from shared.eventstore.log_reader import read_streams
from shared.projections.projection import RowCache

SNAPSHOT_EVERY = 200
_ANY_SAVED = sa.select(schema.snapshots.c.stream).limit(1)


class CachedState(NamedTuple):
    """A stream's state after `version` events; `saved` is the version of its last snapshot."""

    version: int
    state: Any
    saved: int = 0


@dataclass(frozen=True, slots=True)
class AggregateType:
    """How the events of one kind of stream are folded into a state."""

    initial: Callable[[], Any]
    evolve: Callable[[Any, Event], Any]


@cache
def _adapter(cls: type) -> TypeAdapter[Any]:
    return TypeAdapter(cls)


@cache
def fingerprint(cls: type) -> str:
    """A hash of the fields of a state class. A snapshot with another fingerprint is not used."""
    described = json.dumps(_adapter(cls).json_schema(), sort_keys=True)
    return hashlib.sha256(described.encode()).hexdigest()


class AggregateCache:
    """The states of the `keep` streams that were used last. A stream is named `<kind>-<key>`.

    `get` and `load` raise LookupError for a stream of no known kind.
    """

    def __init__(
        self,
        source: str,
        aggregate_types: dict[str, AggregateType],
        connection: Callable[[], sa.Connection],
        *,
        keep: int = 50_000,
        use_snapshots: bool = True,
    ) -> None:
        self._source, self._connection, self._keep = source, connection, keep
        self._types = [(f"{kind}-", type_) for kind, type_ in aggregate_types.items()]
        self._cached: OrderedDict[str, CachedState] = OrderedDict()
        self._changed: set[str] = set()
        self._use_snapshots = use_snapshots
        self._snapshots = RowCache(schema.snapshots, connection, keep=0)
        self._any_saved: bool | None = None

    def _type_of(self, stream: str) -> AggregateType:
        for prefix, type_ in self._types:
            if stream.startswith(prefix):
                return type_
        raise LookupError(f"{self._source} has no streams like {stream}")

    def get(self, stream: str) -> CachedState:
        """The stream's state, changes of the current batch included."""
        if stream not in self._cached:
            self.load([stream])
        return self._cached[stream]

    def load(self, streams: Iterable[str]) -> None:
        """Load the streams that are not cached: one query for snapshots, one for events. The first call also asks
        whether the database has any snapshot."""
        missing = [stream for stream in dict.fromkeys(streams) if stream not in self._cached]
        if not missing:
            return
        starts = {stream: self._from_snapshot(stream, row) for (stream,), row in self._saved(missing).items()}
        versions = {stream: cached.version for stream, cached in starts.items()}
        for stream, events in read_streams(self._connection(), self._source, versions).items():
            cached, evolve = starts[stream], self._type_of(stream).evolve
            state = cached.state
            for recorded in events:
                state = evolve(state, recorded.event)
            version = events[-1].version if events else cached.version
            self._cached[stream] = CachedState(version, state, cached.saved)

    def _saved(self, streams: list[str]) -> dict[tuple[Any, ...], dict[str, Any] | None]:
        keys = [(stream,) for stream in streams]
        # Most services have no stream that is long enough for a snapshot: they save the query.
        if self._any_saved is None and self._use_snapshots:
            self._any_saved = self._connection().execute(_ANY_SAVED).first() is not None
        return self._snapshots.get_many(keys) if self._any_saved else dict.fromkeys(keys)

    def _from_snapshot(self, stream: str, row: dict[str, Any] | None) -> CachedState:
        initial = self._type_of(stream).initial()
        if row is None or row["fingerprint"] != fingerprint(type(initial)):
            return CachedState(0, initial)
        return CachedState(row["version"], _adapter(type(initial)).validate_json(row["data"]), row["version"])

    def evolve(self, stream: str, event: Event) -> int:
        """Fold one more event into a stream's state. Returns the stream's version."""
        cached = self.get(stream)
        after = CachedState(cached.version + 1, self._type_of(stream).evolve(cached.state, event), cached.saved)
        self._cached[stream] = after
        self._cached.move_to_end(stream)
        self._changed.add(stream)
        return after.version

    def flush(self) -> None:
        """In the batch's transaction, save a snapshot of each stream that has SNAPSHOT_EVERY events since its last."""
        for stream in self._changed:
            cached = self._cached[stream]
            if cached.version - cached.saved >= SNAPSHOT_EVERY:
                cls = type(cached.state)
                data = _adapter(cls).dump_json(cached.state).decode()
                row = {"stream": stream, "version": cached.version, "fingerprint": fingerprint(cls), "data": data}
                self._snapshots.put(row)
                self._any_saved = self._use_snapshots
                self._cached[stream] = CachedState(cached.version, cached.state, cached.version)
        self._snapshots.flush()

    def committed(self) -> None:
        """Call it after the commit."""
        self._changed.clear()
        self._snapshots.committed()
        while len(self._cached) > self._keep:
            self._cached.popitem(last=False)

    def forget(self) -> None:
        """Call it after a rollback: drops the states that the batch changed."""
        for stream in self._changed:
            self._cached.pop(stream, None)
        self._changed.clear()
        self._snapshots.forget()

    def clear(self) -> None:
        """Drop every state: another writer may have written."""
        self._cached.clear()
        self._any_saved = None
        self.forget()
