"""Databases on PostgreSQL that the version before wrote are brought up to this one: revisions, then a rebuild."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from shutil import copyfile

import pytest
import sqlalchemy as sa

from cli.__main__ import SERVICES
from cli.clustering import rebuild_outdated
from cli.proofs import prove
from services import migrations_of
from shared.eventstore import migration, revisions, schema
from shared.eventstore.engines import open_engine
from shared.projections import versions
from shared.runtime.embedded import database_url
from tests.databases import NewDatabase
from tests.upgrade import written

Urls = Mapping[str, sa.URL]


@pytest.fixture
def urls(tmp_path: Path, postgres: NewDatabase, monkeypatch: pytest.MonkeyPatch) -> Urls:
    """Each service's database with the older version's revisions and rows."""
    folder = written.unpack(tmp_path / "var")
    made = {service.name: sa.make_url(postgres()) for service in SERVICES}
    with monkeypatch.context() as patch:
        kernel = _revisions_of_then(revisions.KERNEL, tmp_path / "migrations" / "kernel")
        copyfile(revisions.KERNEL.parent / "env.py", kernel.parent / "env.py")
        for module in (revisions, migration):
            patch.setattr(module, "KERNEL", kernel)
        for name, url in made.items():
            migration.migrate(url, _revisions_of_then(migrations_of(name), tmp_path / name / "migrations"))
            _copy_rows(sa.make_url(database_url(folder, name)), url)
    return made


def _revisions_of_then(folder: Path, copied: Path) -> Path:
    copied.mkdir(parents=True)
    for path in folder.glob("[0-9]*.py"):
        if int(path.name[:4]) <= written.REVISIONS.get(revisions.branch_in(folder), 1):
            copyfile(path, copied / path.name)
    return copied


def _copy_rows(source: sa.URL, target: sa.URL) -> None:
    left, right = open_engine(source, writer=False), open_engine(target, writer=True)
    with left.connect() as reading, right.begin() as writing:
        tables = sa.MetaData()
        tables.reflect(writing)
        for table in tables.sorted_tables:
            if table.name == "alembic_version":
                continue
            names = ", ".join(f'"{column.name}"' for column in table.columns)
            rows = reading.exec_driver_sql(f'SELECT {names} FROM "{table.name}"').mappings().all()  # noqa: S608
            writing.execute(sa.delete(table))
            if rows:
                writing.execute(sa.insert(table), [_fitting(table, row) for row in rows])
    left.dispose()
    right.dispose()


def _fitting(table: sa.Table, row: sa.RowMapping) -> dict[str, object]:
    """SQLite holds truth values as numbers, and JSON as text."""
    return {column.name: _of_type(column.type, row[column.name]) for column in table.columns}


def _of_type(kind: sa.types.TypeEngine[object], value: object) -> object:
    if isinstance(value, str) and isinstance(kind, sa.JSON):
        return json.loads(value)
    return bool(value) if value is not None and isinstance(kind, sa.Boolean) else value


@pytest.fixture
def logs(urls: Urls) -> Iterator[dict[str, sa.Engine]]:
    made = {name: open_engine(url, writer=False) for name, url in urls.items()}
    yield made
    for engine in made.values():
        engine.dispose()


def test_revisions_and_a_rebuild_bring_it_up_to_this_version(urls: Urls, logs: dict[str, sa.Engine]) -> None:
    for name, url in urls.items():
        migration.migrate(url, migrations_of(name))
    rebuilt = rebuild_outdated(urls, lambda text: None)
    again = rebuild_outdated(urls, lambda text: None)
    proofs = prove(SERVICES, logs, drained=False)

    assert again == []
    assert set(rebuilt) == {one.name for one in SERVICES if one.projection.version != versions.FIRST}
    assert [proof.detail for proof in proofs if not proof.ok] == []


def test_a_writer_of_this_version_uses_no_snapshot_of_another(urls: Urls, monkeypatch: pytest.MonkeyPatch) -> None:
    order = next(service for service in SERVICES if service.name == "order")
    migration.migrate(urls["order"], migrations_of("order"))
    monkeypatch.setattr(order.projection, "version", order.projection.version + 1)
    engine = open_engine(urls["order"], writer=True)
    with engine.begin() as connection:
        connection.execute(
            sa.insert(schema.snapshots).values(stream="order-1", version=1, fingerprint="other", data="{}")
        )
        versions.begin(connection, order.projection)

        assert connection.execute(sa.select(schema.snapshots)).all() == []
        assert versions.is_outdated(connection, order.projection)
    engine.dispose()
