"""Scheduled commands and external calls, stored in the same transaction as the events that ask for them."""

from __future__ import annotations

import heapq
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeAlias

import sqlalchemy as sa
from pydantic import ValidationError
from tenacity import RetryCallState, Retrying, wait_exponential

from shared.contracts import (
    CallExternal,
    Cancel,
    Command,
    Metadata,
    Plan,
    ScheduleCommand,
    UnknownMessage,
    decode_command,
)
from shared.eventstore import schema
from shared.eventstore.log import to_text
from shared.projections.projection import Row, RowCache

WAITING, FAILED = "waiting", "failed"
COMMAND, EFFECT = "command", "effect"
DUE_NOW = ""
DueItem: TypeAlias = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class DueCommand:
    """A scheduled command that is due."""

    key: str
    token: str
    command: Command
    meta: Metadata


@dataclass(frozen=True, slots=True)
class DueCall:
    """An external call that is due and leased; `attempt` counts from 1."""

    key: str
    token: str
    effect: str
    payload: Mapping[str, Any]
    attempt: int
    meta: Metadata


def back_off(attempt: int, first_seconds: float, longest_seconds: float) -> timedelta:
    """How long to wait after an attempt (from 1): doubled each time, up to `longest_seconds`."""
    state = RetryCallState(Retrying(), None, (), {})
    state.attempt_number = attempt
    return timedelta(seconds=wait_exponential(multiplier=first_seconds, max=longest_seconds)(state))


def row_of(plan: ScheduleCommand | CallExternal, token: str, meta: Metadata, now: datetime) -> Row:
    """The database row of a planned item that was never tried."""
    if isinstance(plan, ScheduleCommand):
        kind, name, payload, at = COMMAND, plan.command.type(), plan.command.model_dump_json(), plan.at
    else:
        kind, name, payload, at = EFFECT, plan.effect, json.dumps(dict(plan.payload)), plan.at or now
    return {
        "key": plan.key, "kind": kind, "name": name, "payload": payload, "meta": meta.model_dump_json(),
        "token": token, "due_at": to_text(at), "attempts": 0, "state": WAITING,
    }  # fmt: skip


class Scheduler:
    """The scheduled items of one service (table `agenda`): rows in the database, their due times in memory.

    Changes become durable with `rows.flush()` inside the batch's transaction, then `committed()`; after a rollback
    `forget()`.
    """

    def __init__(self, connection: Callable[[], sa.Connection]) -> None:
        self.rows = RowCache(schema.agenda, connection, keep=50_000)
        self._due: dict[str, list[DueItem]] = {COMMAND: [], EFFECT: []}
        self._added: list[tuple[str, DueItem]] = []
        self._taken: list[tuple[str, DueItem]] = []

    def load(self, connection: sa.Connection, *, restarted: bool) -> None:
        """Read the items that wait. After a restart, calls that the former process had leased are due at once."""
        rows = connection.execute(sa.select(schema.agenda).where(schema.agenda.c.state == WAITING))
        self._due = {COMMAND: [], EFFECT: []}
        for row in rows:
            due_at = DUE_NOW if restarted and row.leased_until else row.due_at
            self._due[row.kind].append((due_at, row.key, row.token))
        for heap in self._due.values():
            heapq.heapify(heap)

    def plan(self, plan: Plan, token: str, meta: Metadata, now: datetime) -> None:
        """Add a planned item, or remove one for a Cancel. No two items ever have the same token."""
        if isinstance(plan, Cancel):
            self.rows.delete(plan.key)
        else:
            self._put(row_of(plan, token, meta, now))

    def _put(self, row: Row) -> None:
        self.rows.put(row)
        self._added.append((row["kind"], (row["due_at"], row["key"], row["token"])))

    def next_due(self) -> str | None:
        """When the earliest item is due, as text; None when there is none."""
        return min((heap[0][0] for heap in self._due.values() if heap), default=None)

    def is_due(self, now: datetime) -> bool:
        """Whether an item is due."""
        due = self.next_due()
        return due is not None and due <= to_text(now)

    def _pop_due(self, kind: str, moment: str, limit: int) -> Iterator[Row]:
        heap = self._due[kind]
        items: list[DueItem] = []
        while heap and heap[0][0] <= moment and len(items) < limit:
            items.append(heapq.heappop(heap))
        self._taken += [(kind, item) for item in items]
        rows = self.rows.get_many([(key,) for _, key, _ in items])
        for due_at, key, token in items:
            row = rows[key,]
            if row is None or row["token"] != token or row["state"] != WAITING:
                continue
            if due_at in (row["due_at"], DUE_NOW):
                yield row

    def take_commands(self, now: datetime, limit: int, gave_up: Callable[[str], None]) -> list[DueCommand]:
        """Remove and return at most `limit` due commands, earliest first.

        A command that this code can't read stays as failed, and `gave_up` is called with its token.
        """
        due = []
        for row in self._pop_due(COMMAND, to_text(now), limit):
            try:
                command = decode_command(row["name"], row["payload"])
            except (UnknownMessage, ValidationError) as error:
                self.give_up(row, type(error).__name__)
                gave_up(row["token"])
                continue
            self.rows.delete(row["key"])
            due.append(DueCommand(row["key"], row["token"], command, Metadata.model_validate_json(row["meta"])))
        return due

    def lease(self, now: datetime, for_: timedelta, limit: int = 1_000) -> list[DueCall]:
        """Lease the calls that are due, those planned in this batch included. The attempt is counted before the call is
        made, so that a crash in between counts as an attempt."""
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

    def finish(self, call: DueCall) -> None:
        """A call returned: remove its item, unless it was replaced or cancelled since."""
        row = self.rows.get(call.key)
        if row is not None and row["token"] == call.token:
            self.rows.delete(call.key)

    def leased(self, call: DueCall) -> Row | None:
        """The row of a call under way; None when the item ended, was replaced or cancelled, or a later attempt
        began."""
        row = self.rows.get(call.key)
        if row is None or (row["token"], row["attempts"]) != (call.token, call.attempt) or not row["leased_until"]:
            return None
        return row

    def postpone(self, row: Row, due_at: datetime, error: str) -> None:
        """A call failed: try it again at `due_at`."""
        self._put({**row, "due_at": to_text(due_at), "leased_until": None, "error": error})

    def give_up(self, row: Row, error: str) -> None:
        """A call failed for the last time: keep its item as failed, for a person."""
        self.rows.put({**row, "state": FAILED, "leased_until": None, "error": error})

    def flush(self) -> None:
        """Write the batch's changes, in its transaction."""
        self.rows.flush()

    def committed(self) -> None:
        """Call it after the commit: added items become due at their time."""
        for kind, item in self._added:
            heapq.heappush(self._due[kind], item)
        self._added.clear()
        self._taken.clear()
        self.rows.committed()

    def forget(self) -> None:
        """Call it after a rollback: undo what the batch took and added."""
        for kind, item in self._taken:
            heapq.heappush(self._due[kind], item)
        self._taken.clear()
        self._added.clear()
        self.rows.forget()
