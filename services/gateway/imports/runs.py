"""Imports that run and how each ended, in the gateway's database. They come from no event, and no rebuild touches them.

The process that runs an import records its progress every second. A run without progress for longer than SILENCE is
over. Times are text, in the format of the log.
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
# A repeated request for an import in these states is answered, and imports nothing.
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
class ImportRequest:
    """What identifies an import. The same request with the same Idempotency-Key has the same `import_id`."""

    import_id: str
    kind: str
    file_sha256: str
    mapping_sha256: str
    dry_run: bool
    started_by: str


class Runs:
    """Stores imports. Its methods block: call them from a thread. `run` is the id of one try at an import."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def find(self, import_id: str, now: datetime, stopped: str | None = None) -> dict[str, Any] | None:
        """An import's row. A run without progress is shown as `interrupted`, and so is the run `stopped`, which is
        known to be over."""
        with self._engine.connect() as connection:
            found = connection.execute(sa.select(runs).where(runs.c.import_id == import_id)).mappings().one_or_none()
        row = {str(column): value for column, value in found.items()} if found else None
        if row is None or row["state"] != "running":
            return row
        is_over = row["run"] == stopped or row["seen_at"] < iso(now - SILENCE)
        return {**row, "state": "interrupted"} if is_over else row

    def claim(
        self, request: ImportRequest, run: str, now: datetime, stopped: str | None = None
    ) -> dict[str, Any] | None:
        """Claim an import for a new run. Returns None, or the import's row if it already runs or is over.

        The run `stopped` does not count as running. A failed import can be claimed again; an interrupted one only with
        the same mapping.
        """
        fresh = {
            "run": run,
            "state": "running",
            "rows": 0,
            "counts": {},
            "mapping_sha256": request.mapping_sha256,
            "started_by": request.started_by,
            "started_at": iso(now),
            "seen_at": iso(now),
            "completed_at": None,
            "answer": None,
        }
        named = {
            "import_id": request.import_id,
            "kind": request.kind,
            "file_sha256": request.file_sha256,
            "dry_run": request.dry_run,
        }
        while True:
            known = self.find(request.import_id, now, stopped)
            if known is None:
                try:
                    with self._engine.begin() as connection:
                        connection.execute(sa.insert(runs), {**named, **fresh})
                except IntegrityError:
                    continue
                return None
            is_other = known["mapping_sha256"] != request.mapping_sha256 and known["state"] != "failed"
            if is_other or known["state"] in OVER | {"running"}:
                return known
            same_try = (runs.c.run == known["run"]) & (runs.c.seen_at == known["seen_at"])
            taking = sa.update(runs).where(runs.c.import_id == request.import_id, same_try).values(**fresh)
            with self._engine.begin() as connection:
                if connection.execute(taking).rowcount:
                    return None

    def record_progress(self, import_id: str, run: str, rows: int, counts: Mapping[str, int], now: datetime) -> bool:
        """Record the progress of a run. False when another run has taken over."""
        return self._update(import_id, run, rows=rows, counts=dict(counts), seen_at=iso(now))

    def end(self, import_id: str, run: str, state: Ending, answer: Mapping[str, Any] | None, now: datetime) -> bool:
        """Record how a run ended. False when another run had taken over."""
        return self._update(import_id, run, state=state, answer=answer, seen_at=iso(now), completed_at=iso(now))

    def interrupt_all(self, now: datetime) -> None:
        """Mark all running imports as interrupted. Call it only when no other process serves this database."""
        with self._engine.begin() as connection:
            running = sa.update(runs).where(runs.c.state == "running")
            connection.execute(running.values(state="interrupted", seen_at=iso(now), completed_at=iso(now)))

    def _update(self, import_id: str, run: str, **values: Any) -> bool:
        mine = (runs.c.import_id == import_id) & (runs.c.run == run) & (runs.c.state == "running")
        with self._engine.begin() as connection:
            return bool(connection.execute(sa.update(runs).where(mine).values(**values)).rowcount)
