"""Databases on PostgreSQL that the version before wrote are brought up to this one: revisions, then a rebuild."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from shutil import copyfile

import pytest
import sqlalchemy as sa

from services.__main__ import SERVICES
from services.cli.clustering import rebuild_outdated
from services.cli.proofs import prove
from shared.eventlog import migrating, revisions, schema, upgrading
from shared.eventlog.engines import open_engine
from shared.hosting.embedded import database_url
from tests.databases import NewDatabase
from tests.upgrade import written

Urls = Mapping[str, sa.URL]


@pytest.fixture
def urls(tmp_path: Path, postgres: NewDatabase, monkeypatch: pytest.MonkeyPatch) -> Urls:
    """Each service's database with the older version's revisions and rows."""
    folder = written.unpack(tmp_path / "var")
    made = {service.name: sa.make_url(postgres()) for service in SERVICES}
    with monkeypatch.context() as patch:
        patch.setattr(revisions, "MIGRATIONS", _revisions_of_then(tmp_path / "migrations"))
        for name, url in made.items():
            migrating.migrate(url, name)
            _copy_rows(sa.make_url(database_url(folder, name)), url)
    return made


def _revisions_of_then(folder: Path) -> Path:
    for path in revisions.MIGRATIONS.rglob("*.py"):
        branch = path.parent.name
        if path.name == "env.py" or int(path.name[:4]) <= written.REVISIONS.get(branch, 1):
            copied = folder / path.relative_to(revisions.MIGRATIONS)
            copied.parent.mkdir(parents=True, exist_ok=True)
            copyfile(path, copied)
    return folder


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
        migrating.migrate(url, name)
    rebuilt = rebuild_outdated(urls, lambda text: None)
    again = rebuild_outdated(urls, lambda text: None)
    proofs = prove(SERVICES, logs, drained=False)

    assert again == []
    assert set(rebuilt) == {one.name for one in SERVICES if one.tables.version != upgrading.FIRST}
    assert [proof.detail for proof in proofs if not proof.ok] == []


def test_a_writer_of_this_version_uses_no_snapshot_of_another(urls: Urls, monkeypatch: pytest.MonkeyPatch) -> None:
    order = next(service for service in SERVICES if service.name == "order")
    migrating.migrate(urls["order"], "order")
    monkeypatch.setattr(order.tables, "version", order.tables.version + 1)
    engine = open_engine(urls["order"], writer=True)
    with engine.begin() as connection:
        connection.execute(
            sa.insert(schema.snapshots).values(stream="order-1", version=1, fingerprint="other", data="{}")
        )
        upgrading.begin(connection, order.tables)

        assert connection.execute(sa.select(schema.snapshots)).all() == []
        assert upgrading.is_outdated(connection, order.tables)
    engine.dispose()
