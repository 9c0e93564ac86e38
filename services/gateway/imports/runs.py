"""Imports that run, and how each ended, in the gateway's database: they come of no event, and no rebuild touches them.

Whoever runs an import tells every second that it still does; one that has been silent for longer than SILENCE is over.
Times are text, as the log has them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from services.gateway.resource_projection import iso

SILENCE = timedelta(seconds=30)
Ending = Literal["completed", "partial", "failed", "interrupted"]
# Sent again, these are answered and not done again.
OVER: frozenset[str] = frozenset({"completed", "partial"})

metadata = sa.MetaData()
runs = sa.Table(
    "import_runs",
    metadata,
    sa.Column("import_id", sa.Text, primary_key=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("file_sha256", sa.Text, nullable=False),
    sa.Column("mapping_sha256", sa.Text, nullable=False),
    sa.Column("dry_run", sa.Boolean, nullable=False),
    sa.Column("started_by", sa.Text, nullable=False),
    sa.Column("run", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("rows", sa.BigInteger, nullable=False),
    sa.Column("counts", sa.JSON, nullable=False),
    sa.Column("started_at", sa.Text, nullable=False),
    sa.Column("seen_at", sa.Text, nullable=False),
    sa.Column("completed_at", sa.Text),
    sa.Column("answer", sa.JSON),
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What an import is: the same wish under the same Idempotency-Key has the same `import_id`."""

    import_id: str
    kind: str
    file_sha256: str
    mapping_sha256: str
    dry_run: bool
    started_by: str


class Runs:
    """Blocking: call it from a thread. `run` names one try at an import."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def find(self, import_id: str, now: datetime, stopped: str | None = None) -> dict[str, Any] | None:
        """An import's row. One that ran and fell silent is `interrupted`, and so is the try that is known to have
        `stopped`."""
        with self._engine.connect() as connection:
            found = connection.execute(sa.select(runs).where(runs.c.import_id == import_id)).mappings().one_or_none()
        row = {str(column): value for column, value in found.items()} if found else None
        if row is None or row["state"] != "running":
            return row
        is_over = row["run"] == stopped or row["seen_at"] < iso(now - SILENCE)
        return {**row, "state": "interrupted"} if is_over else row

    def claim(self, wanted: Wanted, run: str, now: datetime, stopped: str | None = None) -> dict[str, Any] | None:
        """Take an import on, unless it runs or is over: then the row that says so. The try `stopped` does not run.

        One that failed or was interrupted is taken on anew; of an interrupted one only with the mapping it had.
        """
        fresh = {
            "run": run,
            "state": "running",
            "rows": 0,
            "counts": {},
            "mapping_sha256": wanted.mapping_sha256,
            "started_by": wanted.started_by,
            "started_at": iso(now),
            "seen_at": iso(now),
            "completed_at": None,
            "answer": None,
        }
        named = {
            "import_id": wanted.import_id,
            "kind": wanted.kind,
            "file_sha256": wanted.file_sha256,
            "dry_run": wanted.dry_run,
        }
        while True:
            known = self.find(wanted.import_id, now, stopped)
            if known is None:
                try:
                    with self._engine.begin() as connection:
                        connection.execute(sa.insert(runs), {**named, **fresh})
                except IntegrityError:
                    continue
                return None
            is_other = known["mapping_sha256"] != wanted.mapping_sha256 and known["state"] != "failed"
            if is_other or known["state"] in OVER | {"running"}:
                return known
            same_try = (runs.c.run == known["run"]) & (runs.c.seen_at == known["seen_at"])
            taking = sa.update(runs).where(runs.c.import_id == wanted.import_id, same_try).values(**fresh)
            with self._engine.begin() as connection:
                if connection.execute(taking).rowcount:
                    return None

    def tell(self, import_id: str, run: str, rows: int, counts: Mapping[str, int], now: datetime) -> bool:
        """How far a try is. False when it is no longer the one that runs."""
        return self._update(import_id, run, rows=rows, counts=dict(counts), seen_at=iso(now))

    def end(self, import_id: str, run: str, state: Ending, answer: Mapping[str, Any] | None, now: datetime) -> bool:
        """How a try ended. False when it was no longer the one that ran."""
        return self._update(import_id, run, state=state, answer=answer, seen_at=iso(now), completed_at=iso(now))

    def interrupt_all(self, now: datetime) -> None:
        """Nobody runs an import any more: to be called where no other process serves this database."""
        with self._engine.begin() as connection:
            running = sa.update(runs).where(runs.c.state == "running")
            connection.execute(running.values(state="interrupted", seen_at=iso(now), completed_at=iso(now)))

    def _update(self, import_id: str, run: str, **values: Any) -> bool:
        mine = (runs.c.import_id == import_id) & (runs.c.run == run) & (runs.c.state == "running")
        with self._engine.begin() as connection:
            return bool(connection.execute(sa.update(runs).where(mine).values(**values)).rowcount)
