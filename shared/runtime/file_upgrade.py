"""Brings the files of a folder that an older version wrote up to this version, before anything starts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import sqlalchemy as sa
import structlog

from shared.eventstore import log, schema
from shared.projections import versions
from shared.projections.rebuild import rebuild
from shared.projections.replay import silent
from shared.runtime.service import Service

logger = structlog.get_logger()


def upgrade_files(
    services: Sequence[Service], writing: Mapping[str, sa.Engine], reading: Mapping[str, sa.Engine], now: datetime
) -> list[str]:
    """Add what the services' SQLite files lack, and fold the tables that an older version derived anew from the logs.

    `writing` and `reading` are engines by service; nobody else may write; it is `now`. Returns the services whose
    tables were folded. Each service is one transaction, so it may be interrupted and repeated. Raises LookupError, with
    the source and positions, when a log ends before what a service has applied of it, and log.Incomplete.
    """
    for service in services:
        with writing[service.name].begin() as connection:
            if not sa.inspect(connection).has_table(schema.log.name):
                continue
            log.require_whole(connection, service.name)
            for metadata in (schema.metadata, *service.kept_tables()):
                versions.add_missing(connection, metadata)
    outdated = []
    for service in services:
        with reading[service.name].connect() as connection:
            if versions.is_outdated(connection, service.projection):
                outdated.append(service)
    for service in outdated:
        logger.info("folding tables of an older version anew", service=service.name)
        folded = rebuild(
            service.name, service.projection, service.foreign_event_names(), dict(reading), writing[service.name],
            silent, plans=service.plans, now=now,
        )  # fmt: skip
        logger.info("tables are of this version", service=service.name, events=folded)
    return [service.name for service in outdated]
