"""Migrates the schema of a PostgreSQL database with Alembic revisions.

A database has two branches: `kernel`, the tables of every service, and the service's own. The kernel's revisions lie in
`migrations/kernel` beside this file, a service's in `migrations` in its folder: `own` below, None for a service without
tables. They are named `<branch>_<number>`, one after the other.

Revisions run while the previous version still serves. So a revision only adds what that version ignores: tables,
columns that may be null or have a server default, indexes. A later release removes what is no longer used. Never edit a
revision that has run anywhere.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.script import Script, ScriptDirectory
from sqlalchemy.exc import OperationalError
from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_exponential

from shared.eventstore import log
from shared.eventstore.revisions import KERNEL, folders, known, lacking

LOCK = 7_236_481_060
# A statement that waits for a lock makes all later ones wait, so it gives up soon and is tried again.
SETTINGS = "-c lock_timeout=2s"
TRIES = 15


def revisions(own: Path | None) -> list[Script]:
    """All revisions of this code for a service's database, in their order."""
    scripts = ScriptDirectory.from_config(_config(own)).walk_revisions()
    return sorted(scripts, key=lambda script: known(own).index(script.revision))


def pending(connection: sa.Connection, own: Path | None) -> list[Script]:
    """The revisions that a service's database lacks; none when newer code has migrated it further."""
    wanted = lacking(connection, own)
    return [script for script in revisions(own) if script.revision in wanted]


def migrate(
    url: str | sa.URL, own: Path | None, done: Callable[[Script], object] = lambda script: None
) -> list[Script]:
    """Run the pending revisions and return them. `done` is called with each. Several processes may call it at once.

    A new log gets its head, so that readers need not wait for its writer.

    Raises OperationalError when the server can't be reached, or a lock could not be taken for long.
    """
    url = sa.make_url(url)
    options = f"{url.query.get('options', '')} {SETTINGS}".strip()
    engine = sa.create_engine(url.update_query_dict({"options": options}), poolclass=sa.NullPool)
    trying = Retrying(
        retry=retry_if_exception(_is_busy),
        wait=wait_exponential(multiplier=0.1, max=3),
        stop=stop_after_attempt(TRIES),
        reraise=True,
    )
    ran: list[Script] = []
    trying(_migrate, engine, own, lambda script: (ran.append(script), done(script)))
    return ran


def _migrate(engine: sa.Engine, own: Path | None, done: Callable[[Script], object]) -> None:
    with engine.connect() as connection:
        connection.execute(sa.select(sa.func.pg_advisory_lock(LOCK)))
        connection.commit()
        config = _config(own)
        config.attributes["connection"] = connection
        for script in pending(connection, own):
            connection.commit()
            command.upgrade(config, script.revision)
            connection.commit()
            done(script)
        log.begin(connection)
        connection.commit()


def _is_busy(error: BaseException) -> bool:
    return isinstance(error, OperationalError) and getattr(error.orig, "sqlstate", None) == "55P03"


def _config(own: Path | None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(KERNEL.parent))
    config.set_main_option("path_separator", "newline")
    config.set_main_option("version_locations", "\n".join(map(str, folders(own))))
    return config
