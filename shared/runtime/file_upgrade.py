"""Upgrades a folder of SQLite files that an older version wrote, before the services start."""

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
    """Add missing tables and columns to the services' SQLite files, and rebuild the tables of older projections.

    `writing` and `reading` are engines by service. No other process may write. Returns the services whose tables were
    rebuilt. Each service is one transaction, so an interrupted upgrade can be repeated. Raises LookupError, with the
    source and positions, when a log ends before the position that a service has applied, and log.Incomplete.
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
