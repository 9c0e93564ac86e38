"""Projection and RowCache: derived tables that are cached while deciding, and written with the events of a batch."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping
from operator import itemgetter
from typing import Any, ClassVar

import sqlalchemy as sa

from shared.contracts import Command, Event
from shared.eventstore.recorded import RecordedEvent
from shared.eventstore.statements import send
from shared.projections.bulk_loader import BulkLoader
from shared.projections.keyed_rows import (
    Key,
    KeyedRows,
    Row,
    keyed,
)


class RowCache:
    """The rows of one table by primary key, with the changes of the current batch.

    Reads see what the batch has put; `flush` writes all changes. Only one writer writes the table, so at most `keep`
    rows stay cached between batches.
    """

    def __init__(self, table: sa.Table, connection: Callable[[], sa.Connection], keep: int = 20_000) -> None:
        self._table, self._connection, self.keep = table, connection, keep
        self._key_of = _key_of(table)
        self._blank: Row = dict.fromkeys(str(column.name) for column in table.columns)
        self._rows: OrderedDict[Key, Row | None] = OrderedDict()
        self._dirty: dict[Key, None] = {}
        self._by_dialect: dict[str, KeyedRows] = {}
        self._filling: BulkLoader | None = None

    def _keyed(self, connection: sa.Connection) -> KeyedRows:
        dialect = connection.dialect.name
        return self._by_dialect.get(dialect) or self._by_dialect.setdefault(dialect, keyed(self._table, dialect))

    def get(self, *key: Any) -> Row | None:
        """The row with this primary key, or None. Don't change the row: use `put` or `update`."""
        if key in self._rows:
            return self._rows[key]
        return self.get_many([key])[key]

    def get_many(self, keys: Iterable[Key]) -> dict[Key, Row | None]:
        """The rows by primary key (tuples), None for missing ones; one query for all that are not cached."""
        wanted = list(dict.fromkeys(keys))
        missing = [key for key in wanted if key not in self._rows]
        if self.is_whole:
            self._rows.update(dict.fromkeys(missing))
            missing = []
        for start in range(0, len(missing), 500):
            part = missing[start : start + 500]
            self._rows.update(dict.fromkeys(part))
            connection = self._connection()
            for found in self._keyed(connection).find(connection, part):
                key = self._key_of(found)
                self._rows[key] = found
                if self._filling:
                    self._filling.there.add(key)
        return {key: self._rows[key] for key in wanted}

    def put(self, row: Mapping[str, Any]) -> None:
        """Insert or replace a whole row; columns left out are None."""
        self._put({**self._blank, **row})

    def _put(self, whole: Row) -> None:
        key = self._key_of(whole)
        self._rows[key] = whole
        self._rows.move_to_end(key)
        self._dirty[key] = None

    def update(self, *key: Any, **changes: Any) -> None:
        """Change columns of an existing row. Raises KeyError when there is none."""
        row = self.get(*key)
        if row is None:
            raise KeyError(f"{self._table.name} has no row {key}")
        self._put({**row, **changes})

    def delete(self, *key: Any) -> None:
        """Delete the row with this primary key, if there is one."""
        self._rows[key] = None
        self._dirty[key] = None

    def select(self, statement: sa.Select[Any]) -> Iterator[sa.RowMapping]:
        """Run any query. It sees all changes so far, since they are written first."""
        self.flush()
        send(self._connection())
        yield from self._connection().execute(statement).mappings()

    def flush(self) -> None:
        """Write the batch's changes, in its transaction."""
        if not self._dirty:
            return
        connection = self._connection()
        puts = {key: row for key in self._dirty if (row := self._rows[key]) is not None}
        gone = [key for key in self._dirty if self._rows[key] is None]
        if gone:
            self._keyed(connection).delete(connection, gone)
        if puts and self._filling:
            self._filling.write(connection, puts)
        elif puts:
            self._keyed(connection).upsert(connection, list(puts.values()))
        self._dirty.clear()

    def committed(self) -> None:
        """Call it after the commit: drops the oldest rows beyond `keep`."""
        if self._filling and not self.keep:
            self._filling.forgot_all()
            self._rows.clear()
        while len(self._rows) > self.keep:
            key, row = self._rows.popitem(last=False)
            if self._filling and row is not None:
                self._filling.forgot(key)

    def forget(self) -> None:
        """Call it after a rollback: drops all rows."""
        self._rows.clear()
        self._dirty.clear()

    def fill(self) -> None:
        """Bulk load the table, which must be empty and have no other writer. After a rollback, drop this object."""
        self._filling = BulkLoader(self._table)

    @property
    def is_whole(self) -> bool:
        """Whether the cache holds every row of the table, so that no row needs a query."""
        return self._filling is not None and self._filling.is_whole

    @property
    def unwritten(self) -> int:
        """How many rows the next flush writes."""
        return len(self._dirty)


def _key_of(table: sa.Table) -> Callable[[Row], Key]:
    names = [str(column.name) for column in table.primary_key.columns]
    return itemgetter(*names) if len(names) > 1 else lambda row: (row[names[0]],)


class Projection:
    """A service's derived tables. A subclass sets `metadata`, opens its rows in `__init__` with `self.rows(table)`, and
    folds events in `apply`: own events of the types in `own_events` (None: all types), and foreign ones.

    Raise `version` when the same events give other columns, other rows or other states of an aggregate than before:
    rows and snapshots of an earlier version are then rebuilt from the logs (see `versions`).

    The rows must not depend on the order in which events of different sources arrive, since a rebuild reads the logs
    one after the other. So set each column from one source's events only.
    """

    metadata: ClassVar[sa.MetaData]
    version: ClassVar[int] = 1
    own_events: ClassVar[tuple[type[Event], ...] | None] = None

    def __init__(self, connection: Callable[[], sa.Connection]) -> None:
        self._connection = connection
        self._open: list[RowCache] = []

    def rows(self, table: sa.Table, keep: int = 20_000) -> RowCache:
        """Open the rows of one of its tables."""
        opened = RowCache(table, self._connection, keep)
        self._open.append(opened)
        return opened

    @classmethod
    def own_event_names(cls) -> frozenset[str] | None:
        """The names of the own events that it folds, None for all."""
        return None if cls.own_events is None else frozenset(event.__name__ for event in cls.own_events)

    def apply(self, event: Event, recorded: RecordedEvent) -> None:
        """Fold one event: an own one, or one of the service's `foreign_events`."""

    def reads(self, asked: Event | Command, state: Any = None) -> Iterable[tuple[RowCache, Key]]:
        """The rows, with their keys, that folding this foreign event, or deciding this command in this state, will
        read.

        It is only a hint: these rows are read for a whole batch at once, all others when they are needed.
        """
        return ()

    def flush(self) -> None:
        """Write the batch's changes, in its transaction."""
        for rows in self._open:
            rows.flush()

    def committed(self) -> None:
        """Call it after the commit."""
        for rows in self._open:
            rows.committed()

    def forget(self) -> None:
        """Call it after a rollback."""
        for rows in self._open:
            rows.forget()

    def fill(self) -> None:
        """Bulk load the tables, which must be empty and have no other writer."""
        for rows in self._open:
            rows.fill()

    @property
    def is_whole(self) -> bool:
        """Whether no row needs a query; tables without a cache never do."""
        return all(rows.is_whole or not rows.keep for rows in self._open)

    @property
    def unwritten(self) -> int:
        """How many rows the next flush writes."""
        return sum(rows.unwritten for rows in self._open)
