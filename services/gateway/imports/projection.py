"""Imports that have ended, from the gateway's own log."""

from __future__ import annotations

import sqlalchemy as sa

from services.gateway.resource_projection import OpenRows, ResourceProjection, folds, iso, metadata
from shared.contracts.gateway import ImportCompleted
from shared.eventstore.recorded import RecordedEvent

imports = sa.Table(
    "imports",
    metadata,
    sa.Column("import_id", sa.Text, primary_key=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("file_sha256", sa.Text, nullable=False),
    sa.Column("fates", sa.JSON, nullable=False),
    sa.Column("imported_by", sa.Text, nullable=False),
    sa.Column("completed_at", sa.Text, nullable=False),
    sa.Column("broken", sa.Text),
    sa.Column("last_row", sa.Integer),
)


class Imports(ResourceProjection):
    """One row for each import: who imported which file, and the fates of its rows."""

    def __init__(self, rows: OpenRows) -> None:
        self._imports = rows(imports)

    @folds(ImportCompleted)
    def import_completed(self, event: ImportCompleted, recorded: RecordedEvent) -> None:
        self._imports.put(
            {
                "import_id": event.import_id,
                "kind": event.kind,
                "file_sha256": event.file_sha256,
                "fates": dict(event.fates),
                "imported_by": recorded.meta.actor,
                "completed_at": iso(recorded.at),
                "broken": event.broken,
                "last_row": event.last_row,
            }
        )
