"""What a process sees of its database."""

from __future__ import annotations

import sqlalchemy as sa

from services.risk.service import SERVICE as RISK
from shared.eventstore import migration
from shared.runtime.cluster.database import health_engine, look
from tests.runtime.cluster.builders import Ground


def seen(ground: Ground) -> tuple[bool, bool]:
    engine = health_engine(ground.url)
    try:
        return look(engine, RISK)
    finally:
        engine.dispose()


def test_a_database_without_its_tables_is_not_enough(ground: Ground) -> None:
    assert seen(ground) == (True, False)


def test_a_migrated_database_is_as_this_code_wants_it(ground: Ground) -> None:
    migration.migrate(ground.url, RISK.migrations)

    assert seen(ground) == (True, True)


def test_a_database_that_lacks_a_revision_is_not_enough(ground: Ground) -> None:
    migration.migrate(ground.url, RISK.migrations)
    with sa.create_engine(ground.url).begin() as connection:
        connection.exec_driver_sql("DELETE FROM alembic_version WHERE version_num LIKE 'risk%%'")

    assert seen(ground) == (True, False)


def test_no_database_is_seen_as_none(ground: Ground) -> None:
    ground.url, here = "postgresql+psycopg://nobody@127.0.0.1:1/nowhere", ground.url
    found, ground.url = seen(ground), here

    assert found == (False, False)
