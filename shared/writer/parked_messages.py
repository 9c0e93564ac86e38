"""Parks messages that could not be handled, with their error, until a person replays or discards them.

A parked message holds back the later messages of its key, and no others: the order within a key is kept.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime

import sqlalchemy as sa

from shared.contracts import Command, Metadata
from shared.eventstore import schema
from shared.eventstore.log import to_text
from shared.eventstore.recorded import RecordedEvent
from shared.projections.projection import Row, RowCache


def event_key(recorded: RecordedEvent) -> str:
    """The key of a received event: its source and stream."""
    return f"{recorded.source}:{recorded.stream}"


def parked_event(row: Row) -> RecordedEvent:
    """The event that a row of the table `parked` holds."""
    body = json.loads(row["data"])
    return RecordedEvent(**{**body, "at": datetime.fromisoformat(body["at"])}, meta_json=row["meta"])


class ParkedMessages:
    """The parked messages of one service, changes of the current batch included."""

    def __init__(
        self, connection: Callable[[], sa.Connection], on_parked: Callable[[Row], object] = lambda row: None
    ) -> None:
        """`on_parked` is called with each row after the commit that parked it."""
        self._connection, self._on_parked, self._parked = connection, on_parked, list[Row]()
        self._rows = RowCache(schema.parked, connection)
        self._keys: dict[str, list[tuple[int, str]]] = {}
        self._next = 1

    def load(self, connection: sa.Connection) -> None:
        """Read the parked messages; call it at start and after a rollback."""
        self._keys, self._next = {}, 1
        columns = (schema.parked.c.key, schema.parked.c.number, schema.parked.c.id)
        for key, number, id_ in connection.execute(sa.select(*columns).order_by(schema.parked.c.number)):
            self._keys.setdefault(key, []).append((number, id_))
            self._next = number + 1

    def holds(self, key: str) -> bool:
        """Whether a message of this key is parked, so that later ones must wait."""
        return key in self._keys

    def count(self) -> int:
        """How many messages are parked."""
        return sum(map(len, self._keys.values())) if self._keys else 0

    def park_command(self, id_: str, key: str, command: Command, meta: Metadata, error: str, at: datetime) -> None:
        """Park a command; its key is the stream."""
        self._park(
            {
                "id": id_, "key": key, "kind": "command", "type": command.type(), "data": command.model_dump_json(),
                "meta": meta.model_dump_json(), "error": error, "at": to_text(at),
            }
        )  # fmt: skip

    def park_event(self, id_: str, recorded: RecordedEvent, error: str, at: datetime) -> None:
        """Park a received event; its key is the source and stream."""
        fields = ("source", "position", "stream", "version", "id", "type", "data")
        body = {name: getattr(recorded, name) for name in fields} | {"at": to_text(recorded.at)}
        self._park(
            {
                "id": id_, "key": event_key(recorded), "kind": "event", "type": recorded.type, "data": json.dumps(body),
                "meta": recorded.meta_json, "error": error, "at": to_text(at),
            }
        )  # fmt: skip

    def _park(self, row: Row) -> None:
        self._rows.put({**row, "number": self._next})
        self._parked.append(row)
        self._keys.setdefault(row["key"], []).append((self._next, row["id"]))
        self._next += 1

    def oldest(self, id_: str) -> Row | None:
        """The parked message, if it is the first of its key; else None."""
        row = self._rows.get(id_)
        if row is None or self._keys[row["key"]][0][1] != id_:
            return None
        return row

    def failed_again(self, row: Row, error: str) -> None:
        """A replay failed: keep the message in its place, with the new error."""
        self._rows.put({**row, "error": error})

    def leave(self, row: Row) -> None:
        """Remove a message that was handled or discarded."""
        self._rows.delete(row["id"])
        waiting = [item for item in self._keys.pop(row["key"]) if item[1] != row["id"]]
        if waiting:
            self._keys[row["key"]] = waiting

    def flush(self) -> None:
        """Write the batch's changes, in its transaction."""
        self._rows.flush()

    def committed(self) -> None:
        """Call it after the commit."""
        self._rows.committed()
        for row in self._parked:
            self._on_parked(row)
        self._parked.clear()

    def forget(self) -> None:
        """Call it after a rollback, and `load` before the next batch."""
        self._parked.clear()
        self._rows.forget()
