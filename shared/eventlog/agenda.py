"""Things to do later: commands to oneself and calls to the outside world, durable with the events that ask."""

from __future__ import annotations

import heapq
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeAlias

import sqlalchemy as sa
from tenacity import RetryCallState, Retrying, wait_exponential

from shared.contracts import Call, Cancel, Command, Later, Metadata, Plan, decode_command
from shared.eventlog import schema
from shared.eventlog.log import to_text
from shared.eventlog.tables import Row, Rows

WAITING, FAILED = "waiting", "failed"
COMMAND, EFFECT = "command", "effect"
Item: TypeAlias = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class DueCommand:
    """A command to oneself whose time has come."""

    key: str
    command: Command
    meta: Metadata


@dataclass(frozen=True, slots=True)
class DueCall:
    """A leased call to the outside world; `attempt` counts from 1."""

    key: str
    token: str
    effect: str
    payload: Mapping[str, Any]
    attempt: int
    meta: Metadata


def back_off(attempt: int, first_seconds: float, longest_seconds: float) -> timedelta:
    """How long to wait after the given attempt: doubled each time, up to the longest."""
    state = RetryCallState(Retrying(), None, (), {})
    state.attempt_number = attempt
    return timedelta(seconds=wait_exponential(multiplier=first_seconds, max=longest_seconds)(state))


class Agenda:
    """The agenda as one writer sees it: rows in the database, their due times in memory.

    Changes become durable with `rows.flush()` inside the batch's transaction, then `committed()`; after a rollback
    `forget()`.
    """

    def __init__(self, connection: Callable[[], sa.Connection], new_token: Callable[[], str]) -> None:
        self.rows = Rows(schema.agenda, connection, keep=50_000)
        self._new_token = new_token
        self._due: dict[str, list[Item]] = {COMMAND: [], EFFECT: []}
        self._added: list[tuple[str, Item]] = []
        self._taken: list[tuple[str, Item]] = []

    def load(self, connection: sa.Connection) -> None:
        """At start: every waiting item is due at its time; what a former process had leased is due at once."""
        rows = connection.execute(sa.select(schema.agenda).where(schema.agenda.c.state == WAITING))
        self._due = {COMMAND: [], EFFECT: []}
        for row in rows:
            self._due[row.kind].append(("" if row.leased_until else row.due_at, row.key, row.token))
        for heap in self._due.values():
            heapq.heapify(heap)

    def plan(self, plan: Plan, meta: Metadata, now: datetime) -> None:
        """Take one planned item in, or out for a Cancel."""
        match plan:
            case Cancel(key=key):
                self.rows.delete(key)
            case Later(key=key, command=command, at=at):
                self._new(key, COMMAND, command.type(), command.model_dump_json(), meta, at)
            case Call(key=key, effect=effect, payload=payload, at=at):
                self._new(key, EFFECT, effect, json.dumps(dict(payload)), meta, at or now)

    def _new(self, key: str, kind: str, name: str, payload: str, meta: Metadata, at: datetime) -> None:
        self._put(
            {
                "key": key, "kind": kind, "name": name, "payload": payload, "meta": meta.model_dump_json(),
                "token": self._new_token(), "due_at": to_text(at), "attempts": 0, "state": WAITING,
            }
        )  # fmt: skip

    def _put(self, row: Row) -> None:
        self.rows.put(row)
        self._added.append((row["kind"], (row["due_at"], row["key"], row["token"])))

    def next_due(self) -> str | None:
        """When the earliest item is due, as text; None when there is none."""
        return min((heap[0][0] for heap in self._due.values() if heap), default=None)

    def _pop_due(self, kind: str, moment: str, limit: int) -> Iterator[Row]:
        heap = self._due[kind]
        for _ in range(limit):
            if not heap or heap[0][0] > moment:
                return
            item = heapq.heappop(heap)
            self._taken.append((kind, item))
            row = self.rows.get(item[1])
            if row is not None and row["token"] == item[2] and row["state"] == WAITING:
                yield row

    def take_commands(self, now: datetime, limit: int) -> list[DueCommand]:
        """At most `limit` commands whose time has come, earliest first; they leave the agenda."""
        due = []
        for row in self._pop_due(COMMAND, to_text(now), limit):
            self.rows.delete(row["key"])
            command = decode_command(row["name"], row["payload"])
            due.append(DueCommand(row["key"], command, Metadata.model_validate_json(row["meta"])))
        return due

    def lease(self, now: datetime, for_: timedelta, limit: int = 1_000) -> list[DueCall]:
        """Calls whose time has come, those planned in this batch included: leased, and the attempt counted, before
        anybody makes them, so that a crash in between is known as an attempt."""
        moment, until = to_text(now), to_text(now + for_)
        rows = list(self._pop_due(EFFECT, moment, limit))
        fresh = [item for kind, item in self._added if kind == EFFECT and item[0] <= moment]
        self._added = [(kind, item) for kind, item in self._added if kind != EFFECT or item[0] > moment]
        for _, key, token in fresh:
            row = self.rows.get(key)
            if row is not None and row["token"] == token:
                rows.append(row)
        calls = []
        for row in rows:
            attempt = row["attempts"] + 1
            self._put({**row, "attempts": attempt, "leased_until": until, "due_at": until})
            meta = Metadata.model_validate_json(row["meta"])
            calls.append(DueCall(row["key"], row["token"], row["name"], json.loads(row["payload"]), attempt, meta))
        return calls

    def finish(self, key: str, token: str) -> Row | None:
        """A call gave its result: the item is done. Returns its row, None when it was replaced or cancelled since."""
        row = self.rows.get(key)
        if row is None or row["token"] != token:
            return None
        self.rows.delete(key)
        return row

    def postpone(self, row: Row, due_at: datetime, error: str) -> None:
        """A call failed and is tried again at `due_at`."""
        self._put({**row, "due_at": to_text(due_at), "leased_until": None, "error": error})

    def give_up(self, row: Row, error: str) -> None:
        """A call failed for the last time: it stays in sight, to be looked at by a person."""
        self.rows.put({**row, "state": FAILED, "leased_until": None, "error": error})

    def flush(self) -> None:
        """Write the batch's changes inside its transaction."""
        self.rows.flush()

    def committed(self) -> None:
        """The batch is durable: what it added counts."""
        for kind, item in self._added:
            heapq.heappush(self._due[kind], item)
        self._added.clear()
        self._taken.clear()
        self.rows.trim()

    def forget(self) -> None:
        """The batch was rolled back: nothing was taken or added."""
        for kind, item in self._taken:
            heapq.heappush(self._due[kind], item)
        self._taken.clear()
        self._added.clear()
        self.rows.forget()
