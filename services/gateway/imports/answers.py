"""Answers about imports that run or have ended."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, JsonValue

from services.gateway.imports.report import Report, rejected

BROKEN_OFF = "The file could not be read after this row."
State = Literal["running", "completed", "partial", "failed", "interrupted"]


class RowProblem(BaseModel):
    """A row that is bad, refused or unanswered. It never holds the row's cells."""

    row: int
    fate: str
    field: str
    code: str
    detail: str


class FieldChange(BaseModel):
    """A field of a listed product that a row changes, or would change in a dry run."""

    row: int
    sku: str
    field: str
    old: JsonValue
    new: JsonValue


class Broken(BaseModel):
    """Why a file could not be read, or not to its end. `after_row` is the last row that was read."""

    code: str
    detail: str
    after_row: int | None = None


class FileNote(BaseModel):
    """A part of the file that was left out or is ambiguous, and how often it occurs."""

    code: str
    count: int
    detail: str


class ImportAnswer(BaseModel):
    """An import. `counts` has the number of rows by fate; `fates` is the same under its former name. `rejected` counts
    the rows that were not imported: bad, expired, hidden, refused or unanswered.

    `problems` and `changes` hold the first of each; the CSV of fates has every row. `replayed` says that the import was
    over before the request, which then did nothing.
    """

    import_id: str
    kind: Literal["products", "keys"]
    dry_run: bool
    state: State
    file_sha256: str
    rows: int = 0
    counts: dict[str, int] = {}
    fates: dict[str, int] = {}
    rejected: int = 0
    problems: list[RowProblem] = []
    changes: list[FieldChange] = []
    changed_fields: dict[str, int] = {}
    ignored_columns: list[str] = []
    notes: list[FileNote] = []
    broken: Broken | None = None
    imported_by: str
    started_at: str | None = None
    completed_at: str | None = None
    replayed: bool = False


def answer_of_run(row: Mapping[str, Any]) -> ImportAnswer:
    """The answer for a row of `import_runs`. The row has the result once the import is over."""
    counts = {"counts": row["counts"], "fates": row["counts"], "rejected": rejected(row["counts"])}
    return ImportAnswer.model_validate(
        {**row, **counts, "imported_by": row["started_by"], **(row["answer"] or {}), "state": row["state"]}
    )


def answer_of_log(row: Mapping[str, Any]) -> ImportAnswer:
    """The answer for an import that only the log has: from an earlier version, or ended just before a crash."""
    fates, code = row["fates"], row["broken"]
    fields = {"dry_run": False, "rows": sum(fates.values()), "counts": fates, "rejected": rejected(fates)}
    broken = {"code": code, "detail": BROKEN_OFF, "after_row": row["last_row"]} if code else None
    return ImportAnswer.model_validate({**row, **fields, "state": "partial" if code else "completed", "broken": broken})


def outcome(report: Report) -> dict[str, Any]:
    """The members of the answer that come from the report."""
    counts = {fate: count for fate, count in report.counts.items() if count}
    broken = report.broken
    return {
        "rows": report.rows,
        "counts": counts,
        "fates": counts,
        "rejected": report.rejected,
        "problems": [
            {"row": one.row, "fate": one.fate, "field": one.field, "code": one.code, "detail": one.detail}
            for one in report.problems
        ],
        "changes": [
            {"row": one.row, "sku": one.sku, "field": one.field, "old": one.old, "new": one.new}
            for one in report.changes
        ],
        "changed_fields": dict(report.changed_fields),
        "ignored_columns": list(report.ignored),
        "notes": [{"code": note.code, "count": note.count, "detail": note.detail} for note in report.notes],
        "broken": {"code": broken.code, "detail": broken.detail, "after_row": report.last_row} if broken else None,
    }
