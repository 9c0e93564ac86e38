"""Health queries of a cluster process on its database."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from shared.eventstore import schema
from shared.eventstore.engines import is_outage, open_engine
from shared.eventstore.revisions import VERSIONS, lacking
from shared.runtime.service import Service

HEALTH_SECONDS = 3


def _with_options(url: str, options: str) -> sa.URL:
    made = sa.make_url(url)
    return made.update_query_dict({"options": f"{made.query.get('options', '')} {options}".strip()})


def health_engine(url: str) -> sa.Engine:
    """An engine whose statements time out after HEALTH_SECONDS, for a database that may hang."""
    return open_engine(_with_options(url, f"-c statement_timeout={HEALTH_SECONDS}s"), writer=False)


def look(engine: sa.Engine, service: Service) -> tuple[bool, bool]:
    """Whether the database answers, and whether it has every table that this version of the service needs."""
    needed = {
        name
        for metadata in (schema.metadata, service.projection.metadata, *service.kept_tables())
        for name in metadata.tables
    }
    try:
        with engine.connect() as connection:
            found = set(sa.inspect(connection).get_table_names())
            # one that was made by its first writer has no versions
            is_migrated = VERSIONS.name not in found or not lacking(connection, service.migrations)
            return True, needed <= found and is_migrated
    except DBAPIError as error:
        if not is_outage(error):
            raise
        return False, False
