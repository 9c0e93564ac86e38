"""Aggregate states in memory, loaded from the log when first needed, with snapshots as a cache."""

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
from shared.eventstore.log import read_streams
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
    """How streams of one kind become states."""

    initial: Callable[[], Any]
    evolve: Callable[[Any, Event], Any]


@cache
def _adapter(cls: type) -> TypeAdapter[Any]:
    return TypeAdapter(cls)


@cache
def fingerprint(cls: type) -> str:
    """Changes whenever the shape of a state class does: a snapshot of another shape is not used."""
    described = json.dumps(_adapter(cls).json_schema(), sort_keys=True)
    return hashlib.sha256(described.encode()).hexdigest()


class AggregateCache:
    """States of the streams that were lately used, at most `keep` of them.

    A stream is named `<kind>-<key>`.
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
        self._foldings = [(f"{kind}-", folding) for kind, folding in aggregate_types.items()]
        self._held: OrderedDict[str, CachedState] = OrderedDict()
        self._changed: set[str] = set()
        self._use_snapshots = use_snapshots
        self._snapshots = RowCache(schema.snapshots, connection, keep=0)
        self._any_saved: bool | None = None

    def _folding(self, stream: str) -> AggregateType:
        for prefix, folding in self._foldings:
            if stream.startswith(prefix):
                return folding
        raise LookupError(f"{self._source} has no streams like {stream}")

    def get(self, stream: str) -> CachedState:
        """The stream's state as this batch sees it."""
        if stream not in self._held:
            self.load([stream])
        return self._held[stream]

    def load(self, streams: Iterable[str]) -> None:
        """Have these streams in memory, with at most one query for snapshots and one for events; the first time one
        more, which tells whether there are any snapshots."""
        missing = [stream for stream in dict.fromkeys(streams) if stream not in self._held]
        if not missing:
            return
        starts = {stream: self._from_snapshot(stream, row) for (stream,), row in self._saved(missing).items()}
        behind = {stream: held.version for stream, held in starts.items()}
        for stream, events in read_streams(self._connection(), self._source, behind).items():
            held, evolve = starts[stream], self._folding(stream).evolve
            state = held.state
            for recorded in events:
                state = evolve(state, recorded.event)
            version = events[-1].version if events else held.version
            self._held[stream] = CachedState(version, state, held.saved)

    def _saved(self, streams: list[str]) -> dict[tuple[Any, ...], dict[str, Any] | None]:
        keys = [(stream,) for stream in streams]
        # Most services have no stream that is long enough for a snapshot: they need not look for one.
        if self._any_saved is None and self._use_snapshots:
            self._any_saved = self._connection().execute(_ANY_SAVED).first() is not None
        return self._snapshots.get_many(keys) if self._any_saved else dict.fromkeys(keys)

    def _from_snapshot(self, stream: str, row: dict[str, Any] | None) -> CachedState:
        initial = self._folding(stream).initial()
        if row is None or row["fingerprint"] != fingerprint(type(initial)):
            return CachedState(0, initial)
        return CachedState(row["version"], _adapter(type(initial)).validate_json(row["data"]), row["version"])

    def evolve(self, stream: str, event: Event) -> int:
        """Fold one more event into a stream. Returns its version."""
        held = self.get(stream)
        after = CachedState(held.version + 1, self._folding(stream).evolve(held.state, event), held.saved)
        self._held[stream] = after
        self._held.move_to_end(stream)
        self._changed.add(stream)
        return after.version

    def flush(self) -> None:
        """Inside the batch's transaction: save a snapshot of each long stream that grew enough since its last."""
        for stream in self._changed:
            held = self._held[stream]
            if held.version - held.saved >= SNAPSHOT_EVERY:
                cls = type(held.state)
                data = _adapter(cls).dump_json(held.state).decode()
                row = {"stream": stream, "version": held.version, "fingerprint": fingerprint(cls), "data": data}
                self._snapshots.put(row)
                self._any_saved = self._use_snapshots
                self._held[stream] = CachedState(held.version, held.state, held.version)
        self._snapshots.flush()

    def committed(self) -> None:
        """The batch is durable."""
        self._changed.clear()
        self._snapshots.committed()
        while len(self._held) > self._keep:
            self._held.popitem(last=False)

    def forget(self) -> None:
        """The batch was rolled back: the streams it changed are loaded anew when next needed."""
        for stream in self._changed:
            self._held.pop(stream, None)
        self._changed.clear()
        self._snapshots.forget()

    def clear(self) -> None:
        """Another writer may have been here: every stream is loaded anew when next needed."""
        self._held.clear()
        self._any_saved = None
        self.forget()
