"""Whether a database's derived rows come from this version's tables, and what an older SQLite file lacks.

On PostgreSQL revisions add tables and columns (`migrating`); a SQLite file gets them here. In both, rows that an older
version derived are replaced by a rebuild.
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.schema import CreateColumn

from shared.eventstore import log, schema
from shared.projections.projection import Projection

FIRST = 1  # of databases that were made before versions were kept


def begin(connection: sa.Connection, projection: type[Projection]) -> None:
    """Before a writer decides: note the version of a new database; drop the snapshots of an older version's states."""
    found = version_of(connection)
    if found is None:
        found = projection.version if _is_new(connection) else FIRST
        connection.execute(sa.insert(schema.projections).values(id=1, version=found))
    if found != projection.version:
        connection.execute(sa.delete(schema.snapshots))


def rebuilt(connection: sa.Connection, projection: type[Projection]) -> None:
    """Note that the rows and snapshots are of this version."""
    connection.execute(sa.delete(schema.projections))
    connection.execute(sa.insert(schema.projections).values(id=1, version=projection.version))


def version_of(connection: sa.Connection) -> int | None:
    """The version of the tables that the rows come from; None when nobody has noted one."""
    if not sa.inspect(connection).has_table(schema.projections.name):
        return None
    return connection.execute(sa.select(schema.projections.c.version)).scalar_one_or_none()


def is_outdated(connection: sa.Connection, projection: type[Projection]) -> bool:
    """Whether the rows come from another version of the tables, or the tables themselves do.

    A database without a log is not: its tables are still to be made.
    """
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
    """Add the tables and columns that a SQLite file of an older version lacks. Returns their names.

    A column must be nullable, or have a server's default.
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
    """Whether nothing was ever applied: there is no event, and no reader has moved."""
    moved = sa.select(schema.readers.c.source).where(schema.readers.c.position > 0)
    return log.last_position(connection) == 0 and connection.execute(moved).first() is None
