"""Migrating: every service's database comes out as its code expects it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy.exc import DataError

from cli.__main__ import SERVICES
from services import migrations_of
from shared.eventstore import log, migration, revisions, schema
from shared.eventstore.engines import open_engine
from shared.runtime.service import Service

ORDER = migrations_of("order")
NewDatabase = Callable[[], str]
ADDS_A_TABLE = """
import sqlalchemy as sa
from alembic import op

revision = "{branch}_{number:04}"
down_revision = "{branch}_{before:04}"
branch_labels = depends_on = None


def upgrade() -> None:
    op.create_table("added_{branch}_{number}", sa.Column("id", sa.Integer(), primary_key=True))
"""


@contextmanager
def opened(url: str) -> Iterator[sa.Connection]:
    engine = open_engine(url, writer=False)
    with engine.connect() as connection:
        yield connection
    engine.dispose()


def described(connection: sa.Connection) -> dict[str, object]:
    """All that tells one table from another, but for the table that Alembic keeps."""
    found = sa.inspect(connection)
    return {
        table: (
            [{**column, "type": str(column["type"])} for column in found.get_columns(table)],
            found.get_pk_constraint(table),
            found.get_unique_constraints(table),
            found.get_indexes(table),
        )
        for table in found.get_table_names()
        if table != "alembic_version"
    }


def named(scripts: list[migration.Script]) -> list[str]:
    return [script.revision for script in scripts]


def tables(url: str) -> set[str]:
    with opened(url) as connection:
        return set(sa.inspect(connection).get_table_names())


@pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.name)
def test_an_empty_database_gets_exactly_the_tables_of_the_code(postgres: NewDatabase, service: Service) -> None:
    migrated, created = postgres(), postgres()
    heard: list[str] = []
    ran = migration.migrate(migrated, service.migrations, lambda script: heard.append(script.revision))
    assert named(ran) == heard == named(migration.revisions(service.migrations))
    owned = (service.projection.metadata, *service.kept_tables())

    with opened(created) as connection:
        log.create(connection)
        for one in owned:
            one.create_all(connection)
        connection.commit()
        expected = described(connection)
    with opened(migrated) as connection:
        whole = [schema.metadata, *owned]
        assert compare_metadata(MigrationContext.configure(connection), whole) == []  # pyright: ignore[reportArgumentType]
        assert described(connection) == expected
        assert migration.pending(connection, service.migrations) == []
    assert migration.migrate(migrated, service.migrations) == []


@pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.name)
def test_revisions_follow_each_other(service: Service) -> None:
    for branch in map(revisions.branch_in, revisions.folders(service.migrations)):
        chain = [
            script for script in migration.revisions(service.migrations) if script.revision.startswith(f"{branch}_")
        ]
        assert named(chain) == [f"{branch}_{number:04}" for number in range(1, len(chain) + 1)]
        assert [script.down_revision for script in chain] == [None, *named(chain)[:-1]]


def test_an_empty_database_lacks_everything_kernel_first(postgres: NewDatabase) -> None:
    with opened(postgres()) as connection:
        assert named(migration.pending(connection, ORDER)) == [
            "kernel_0001",
            "kernel_0002",
            "kernel_0003",
            "kernel_0004",
            "kernel_0005",
            "kernel_0006",
            "order_0001",
        ]


@pytest.fixture
def order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Migrations of a kernel and an order service whose first revisions exist."""
    kernel, order = tmp_path / "migrations" / "kernel", tmp_path / "order" / "migrations"
    for source, target in ((revisions.KERNEL, kernel), (ORDER, order)):
        target.mkdir(parents=True)
        (target / "0001_first.py").write_text((source / "0001_first.py").read_text())
    (kernel.parent / "env.py").write_text((revisions.KERNEL.parent / "env.py").read_text())
    for module in (revisions, migration):
        monkeypatch.setattr(module, "KERNEL", kernel)
    return order


def add(folder: Path, branch: str, number: int) -> None:
    text = ADDS_A_TABLE.format(branch=branch, number=number, before=number - 1)
    (folder / f"{number:04}_more.py").write_text(text)


def test_later_revisions_run_once_and_older_code_serves_on(postgres: NewDatabase, order: Path) -> None:
    url = postgres()
    migration.migrate(url, order)
    add(order, "order", 2)
    add(revisions.KERNEL, "kernel", 2)
    with opened(url) as connection:
        assert named(migration.pending(connection, order)) == ["kernel_0002", "order_0002"]
    assert named(migration.migrate(url, order)) == ["kernel_0002", "order_0002"]
    assert migration.migrate(url, order) == []
    assert "added_order_2" in tables(url)

    (order / "0002_more.py").unlink()
    with opened(url) as connection:
        assert migration.pending(connection, order) == []
    assert migration.migrate(url, order) == []


def test_a_revision_that_fails_changes_nothing(postgres: NewDatabase, order: Path) -> None:
    url = postgres()
    add(order, "order", 2)
    broken = order / "0002_more.py"
    broken.write_text(broken.read_text() + "    op.execute('SELECT 1 / 0')\n")
    with pytest.raises(DataError):
        migration.migrate(url, order)
    assert "added_order_2" not in tables(url)
    with opened(url) as connection:
        assert named(migration.pending(connection, order)) == ["order_0002"]


def test_a_migrated_log_can_be_read_before_its_writer_has_been_there(postgres: NewDatabase) -> None:
    url = postgres()

    migration.migrate(url, ORDER)

    with opened(url) as connection:
        head = log.read_head(connection)
    assert (head.position, head.hash, head.epoch) == (0, log.GENESIS, 0)


def test_migrating_again_leaves_the_head_where_it_is(postgres: NewDatabase) -> None:
    url = postgres()
    migration.migrate(url, ORDER)
    with opened(url) as connection:
        connection.execute(sa.update(schema.head).values(position=7))
        connection.commit()

    migration.migrate(url, ORDER)

    with opened(url) as connection:
        assert log.read_head(connection).position == 7


def test_several_at_once_run_each_revision_once(postgres: NewDatabase) -> None:
    url = postgres()
    with ThreadPoolExecutor(3) as pool:
        ran = list(pool.map(lambda _: migration.migrate(url, migrations_of("risk")), range(3)))
    assert sorted(map(named, ran)) == [[], [], named(migration.revisions(migrations_of("risk")))]


def test_a_table_in_use_is_waited_for_without_holding_others_up(
    postgres: NewDatabase, order: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = postgres()
    migration.migrate(url, order)
    add(order, "order", 2)
    script = order / "0002_more.py"
    script.write_text(script.read_text() + "    op.add_column('head', sa.Column('more', sa.Integer()))\n")
    monkeypatch.setattr(migration, "SETTINGS", "-c lock_timeout=50ms")
    with ThreadPoolExecutor(1) as pool, opened(url) as reading:
        reading.execute(sa.text("LOCK TABLE head IN ACCESS SHARE MODE"))
        running = pool.submit(migration.migrate, url, order)
        _until_it_was_refused(url)
        reading.rollback()
        assert named(running.result()) == ["order_0002"]


def _until_it_was_refused(url: str) -> None:
    """The migration's session has waited for the table, and given up waiting at least once."""
    asked = sa.text("SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE 'ALTER TABLE head%'")
    with opened(url) as connection:
        for wanted in (True, False):
            while (connection.execute(asked).first() is not None) != wanted:
                connection.rollback()
