"""What was handled already. Events are sent again after a crash, a lost connection or a takeover: each is handled once.

For each source there is one number, `through`: everything up to it is done. What was handled above it is remembered
one by one. A publisher sends at most 1,000 events beyond what it knows to be safe, so an event that comes for the first
time stands less than 1,000 before the highest: `through` follows the highest at a distance of `KEPT`, which is more.
A dead letter that was redriven may be older than that. It counts as done only when it is remembered itself, and is then
remembered for good.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Protocol

from kameng_subscriber.errors import Misconfigured
from kameng_subscriber.event import Event

KEPT = 10_000


class Place(Protocol):
    """Where a subscriber stands. For a database of another kind, write one whose `taking` is a transaction there."""

    def open(self, selection: str) -> None:
        """Begin, or go on. Raises Misconfigured when it was kept for another selection of events."""
        ...

    def taking(self, event: Event) -> AbstractContextManager[bool]:
        """Tells whether the event is new, and remembers it when the block ends well, in one with what the block did."""
        ...

    def through(self) -> Mapping[str, int]:
        """By source: everything up to here is done."""
        ...

    def passed(self, source: str, sequence: int) -> None:
        """The feed was read up to here, and what was wanted of it is handled or a dead letter."""
        ...

    def replayed(self, done: bool | None = None) -> bool:
        """Whether the feed was read to its end after the queue was bound; say so with `done`."""
        ...


class MemoryPlace:
    """Forgets at the end of the process: what is handled must bear being handled again."""

    def __init__(self) -> None:
        self._through: dict[str, int] = {}
        self._handled: dict[str, set[int]] = {}
        self._kept: set[tuple[str, int]] = set()
        self._replayed = False

    def open(self, selection: str) -> None:
        pass

    @contextmanager
    def taking(self, event: Event) -> Iterator[bool]:
        source, sequence = event.source, event.sequence
        through, handled = self._through.get(source, 0), self._handled.setdefault(source, set())
        known = sequence in handled or (source, sequence) in self._kept
        fresh = not known and (event.redriven or sequence > through)
        yield fresh
        if fresh and sequence <= through:
            self._kept.add((source, sequence))
        elif fresh:
            handled.add(sequence)
            if event.redriven:
                self._kept.add((source, sequence))
            if len(handled) > 2 * KEPT:
                self._forget(source, max(handled) - KEPT)

    def through(self) -> Mapping[str, int]:
        return dict(self._through)

    def passed(self, source: str, sequence: int) -> None:
        self._forget(source, sequence)

    def replayed(self, done: bool | None = None) -> bool:
        self._replayed = self._replayed if done is None else done
        return self._replayed

    def _forget(self, source: str, through: int) -> None:
        if through > self._through.get(source, 0):
            self._through[source] = through
            handled = self._handled.get(source, set())
            self._handled[source] = {sequence for sequence in handled if sequence > through}


_TABLES = """
CREATE TABLE IF NOT EXISTS kameng_place (source TEXT PRIMARY KEY, through INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS kameng_handled (
    source TEXT NOT NULL, sequence INTEGER NOT NULL, kept INTEGER NOT NULL, PRIMARY KEY (source, sequence)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS kameng_about (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
"""


class SqlitePlace:
    """Stands in a SQLite file beside the subscriber's own tables. What a handler writes through `connection` commits in
    one transaction with the event's being handled, so it happens exactly once. The handler itself neither commits nor
    rolls back. For one thread, that which makes it.
    """

    def __init__(self, path: str | Path) -> None:
        self.connection = sqlite3.connect(path, isolation_level=None)
        self.connection.execute("PRAGMA journal_mode = WAL")
        self.connection.execute("PRAGMA synchronous = FULL")
        self.connection.execute("PRAGMA busy_timeout = 10000")
        self.connection.executescript(_TABLES)

    def close(self) -> None:
        self.connection.close()

    def open(self, selection: str) -> None:
        with self._transaction():
            kept = self._about("selection")
            if kept is None:
                self._tell("selection", selection)
        if kept not in (None, selection):
            raise Misconfigured(
                f"this place was kept for `{kept}`, not for `{selection}`: give another selection of events a "
                "place, and a queue, of its own"
            )

    @contextmanager
    def taking(self, event: Event) -> Iterator[bool]:
        source, sequence = event.source, event.sequence
        with self._transaction():
            fresh = self._is_fresh(event)
            yield fresh
            if fresh:
                kept = int(event.redriven)
                self.connection.execute("INSERT INTO kameng_handled VALUES (?, ?, ?)", (source, sequence, kept))
                self._forget(source, sequence - KEPT)

    def through(self) -> Mapping[str, int]:
        return dict(self.connection.execute("SELECT source, through FROM kameng_place"))

    def passed(self, source: str, sequence: int) -> None:
        with self._transaction():
            self._forget(source, sequence)

    def replayed(self, done: bool | None = None) -> bool:
        if done is not None:
            with self._transaction():
                self._tell("replayed", "yes" if done else "no")
        return self._about("replayed") == "yes"

    def _is_fresh(self, event: Event) -> bool:
        one = (event.source, event.sequence)
        found = self.connection.execute(
            "SELECT 1 FROM kameng_handled WHERE source = ? AND sequence = ?", one
        ).fetchone()
        return not found and (event.redriven or event.sequence > self.through().get(event.source, 0))

    def _forget(self, source: str, through: int) -> None:
        if through <= self.through().get(source, 0):
            return
        self.connection.execute("INSERT OR REPLACE INTO kameng_place VALUES (?, ?)", (source, through))
        self.connection.execute(
            "DELETE FROM kameng_handled WHERE source = ? AND sequence <= ? AND NOT kept", (source, through)
        )

    def _about(self, name: str) -> str | None:
        row = self.connection.execute("SELECT value FROM kameng_about WHERE name = ?", (name,)).fetchone()
        return row and row[0]

    def _tell(self, name: str, value: str) -> None:
        self.connection.execute("INSERT OR REPLACE INTO kameng_about VALUES (?, ?)", (name, value))

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self.connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self.connection.execute("ROLLBACK")
            raise
        self.connection.execute("COMMIT")
