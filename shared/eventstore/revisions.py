"""Compares the schema revisions of a PostgreSQL database with those of this code, by their file names.

Every process does this; only `migration`, which runs them, imports Alembic.
"""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa

KERNEL = Path(__file__).with_name("migrations") / "kernel"
VERSIONS = sa.table("alembic_version", sa.column("version_num"))


def folders(own: Path | None) -> list[Path]:
    """The folders of the revisions: the kernel's, and the service's own."""
    return [KERNEL, *([own] if own is not None else [])]


def branch_in(folder: Path) -> str:
    """The branch of a folder: `kernel`, or the name of the service."""
    return folder.name if folder == KERNEL else folder.parent.name


def branch_of(revision: str) -> str:
    """The branch of a revision: `<branch>_<number>`."""
    return revision.rpartition("_")[0]


def known(own: Path | None) -> list[str]:
    """The names of all revisions of this code for a service's database, in their order. Raises FileNotFoundError when a
    service declares a folder of migrations that is not there."""
    if own is not None and not own.is_dir():
        raise FileNotFoundError(f"{own} is declared as a folder of migrations, and is missing")
    return [
        f"{branch_in(folder)}_{file.name.partition('_')[0]}"
        for folder in folders(own)
        for file in sorted(folder.glob("[0-9]*.py"))
    ]


def lacking(connection: sa.Connection, own: Path | None) -> list[str]:
    """The revisions that a service's database lacks; none when newer code has migrated it further."""
    reached: dict[str, str] = {}
    if sa.inspect(connection).has_table(VERSIONS.name):
        reached = {branch_of(head): head for head in connection.execute(sa.select(VERSIONS.c.version_num)).scalars()}
    return [revision for revision in known(own) if revision > reached.get(branch_of(revision), "")]
