"""Which revisions of its schema a PostgreSQL database has, and which this code knows, from their files' names alone.

Every process asks this of its database; what runs revisions is imported by what runs them.
"""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa

MIGRATIONS = Path(__file__).with_name("migrations")
KERNEL = "kernel"
VERSIONS = sa.table("alembic_version", sa.column("version_num"))


def branches(service: str) -> tuple[str, str]:
    """The branches of a service's database."""
    return KERNEL, service


def folders(service: str) -> list[Path]:
    """Where the revisions of each branch lie."""
    return [MIGRATIONS / branch for branch in branches(service)]


def branch_of(revision: str) -> str:
    """The branch of a revision: `<branch>_<number>`."""
    return revision.rpartition("_")[0]


def known(service: str) -> list[str]:
    """All revisions that this code knows for a service's database, in the order in which they run."""
    return [
        f"{folder.name}_{file.name.partition('_')[0]}"
        for folder in folders(service)
        for file in sorted(folder.glob("[0-9]*.py"))
    ]


def lacking(connection: sa.Connection, service: str) -> list[str]:
    """The revisions that a service's database lacks; none when newer code has migrated it further."""
    reached: dict[str, str] = {}
    if sa.inspect(connection).has_table(VERSIONS.name):
        reached = {branch_of(head): head for head in connection.execute(sa.select(VERSIONS.c.version_num)).scalars()}
    return [revision for revision in known(service) if revision > reached.get(branch_of(revision), "")]
