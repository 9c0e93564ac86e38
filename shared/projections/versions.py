"""The version of a projection's rows in a database, and missing tables and columns of older SQLite files.

On PostgreSQL, revisions add tables and columns (`eventstore/migration.py`); SQLite files get them here. On both, a
rebuild replaces the rows of an older version.
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.schema import CreateColumn

from shared.eventstore import log_reader, schema
from shared.projections.projection import Projection

FIRST = 1  # of databases from before versions were stored


def begin(connection: sa.Connection, projection: type[Projection]) -> None:
    """Call it before a writer decides: stores the version in a new database, and drops snapshots of an older
    version."""
    found = version_of(connection)
    if found is None:
        found = projection.version if _is_new(connection) else FIRST
        connection.execute(sa.insert(schema.projections).values(id=1, version=found))
    if found != projection.version:
        connection.execute(sa.delete(schema.snapshots))


def rebuilt(connection: sa.Connection, projection: type[Projection]) -> None:
    """Store that the rows and snapshots are of this version."""
    connection.execute(sa.delete(schema.projections))
    connection.execute(sa.insert(schema.projections).values(id=1, version=projection.version))


def version_of(connection: sa.Connection) -> int | None:
    """The version of the projection that the rows come from; None when none is stored."""
    if not sa.inspect(connection).has_table(schema.projections.name):
        return None
    return connection.execute(sa.select(schema.projections.c.version)).scalar_one_or_none()


def is_outdated(connection: sa.Connection, projection: type[Projection]) -> bool:
    """Whether the rows or the tables are of another version of the projection. False for a database without a log,
    whose tables do not exist yet."""
    inspector = sa.inspect(connection)
    if not inspector.has_table(schema.log.name):
        return False
    if (version_of(connection) or FIRST) != projection.version and not _is_new(connection):
        return True
    return any(
        not inspector.has_table(table.name)
        or {column["name"] for column in inspector.get_columns(table.name)} != set(table.columns.keys())
        for table in projection.metadata.sorted_tables
    )


def add_missing(connection: sa.Connection, metadata: sa.MetaData) -> list[str]:
    """Add missing tables and columns to a SQLite file of an older version. Returns their names.

    A new column must be nullable, or have a server default.
    """
    inspector = sa.inspect(connection)
    added = []
    for table in metadata.sorted_tables:
        if not inspector.has_table(table.name):
            table.create(connection)
            added.append(table.name)
            continue
        known = {column["name"] for column in inspector.get_columns(table.name)}
        for column in table.columns:
            if column.name not in known:
                definition = CreateColumn(column).compile(dialect=connection.dialect)
                name = connection.dialect.identifier_preparer.format_table(table)
                connection.execute(sa.DDL(f"ALTER TABLE {name} ADD COLUMN {definition}"))
                added.append(f"{table.name}.{column.name}")
    return added


def _is_new(connection: sa.Connection) -> bool:
    """Whether the database is new: it has no event, and no source was applied."""
    moved = sa.select(schema.readers.c.source).where(schema.readers.c.position > 0)
    return log_reader.last_position(connection) == 0 and connection.execute(moved).first() is None
