"""A database and a role a service, on a real server."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import uuid4

import psycopg
import pytest
import sqlalchemy as sa
from sqlalchemy.exc import OperationalError

from services.order.service import SERVICE as ORDER
from shared.eventstore.databases import ensure_database, name_of, service_url
from shared.eventstore.engines import open_engine
from shared.eventstore.migration import migrate, revisions


@pytest.fixture
def services(postgres_url: str) -> Iterator[list[str]]:
    """Two names that nobody has; what is made under them is dropped."""
    names = [f"test_{uuid4().hex}" for _ in range(2)]
    yield names
    admin = sa.create_engine(postgres_url, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        for name in map(name_of, names):
            connection.exec_driver_sql(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
            connection.exec_driver_sql(f"DROP ROLE IF EXISTS {name}")
    admin.dispose()


def answer(url: sa.URL, query: str) -> object:
    engine = open_engine(url, writer=False)
    with engine.connect() as connection:
        found = connection.execute(sa.text(query)).scalar_one()
    engine.dispose()
    return found


def test_a_service_owns_its_database_and_sees_no_other(postgres_url: str, services: list[str]) -> None:
    mine, other = services
    assert [ensure_database(postgres_url, service, "pass'word") for service in services] == [True, True]
    url = service_url(postgres_url, mine, "pass'word")
    assert answer(url, "SELECT current_user || ' ' || current_database()") == f"{name_of(mine)} {name_of(mine)}"
    assert (
        answer(url, "SELECT rolsuper OR rolcreatedb OR rolcreaterole FROM pg_roles WHERE rolname = current_user") == 0
    )
    assert answer(url, "SELECT bool_and('é' > letter) FROM (VALUES ('a'), ('z'), ('Z')) AS letters (letter)") is True
    assert [script.revision for script in migrate(url, ORDER.migrations)] == [
        script.revision for script in revisions(ORDER.migrations)
    ]
    with pytest.raises(OperationalError, match="permission denied"):
        answer(url.set(database=name_of(other)), "SELECT 1")


def test_doing_it_again_keeps_the_data_and_takes_the_new_password(postgres_url: str, services: list[str]) -> None:
    service = services[0]
    ensure_database(postgres_url, service, "before")
    migrate(service_url(postgres_url, service, "before"), ORDER.migrations)
    stored = "SELECT rolpassword FROM pg_authid WHERE rolname = %s"
    before = _stored_password(postgres_url, stored, service)
    assert ensure_database(postgres_url, service, "after") is False
    assert migrate(service_url(postgres_url, service, "after"), ORDER.migrations) == []
    assert before.startswith("SCRAM-SHA-256$")
    assert _stored_password(postgres_url, stored, service) != before


def _stored_password(postgres_url: str, query: str, service: str) -> str:
    url = sa.make_url(postgres_url).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(url) as connection:
        found = connection.execute(query, [name_of(service)]).fetchone()  # pyright: ignore[reportArgumentType, reportCallIssue]
    assert found is not None
    return found[0]


def test_a_url_keeps_the_server_and_drops_its_superuser() -> None:
    url = service_url("postgresql+psycopg://boss:secret@db:5433/postgres?sslmode=require", "order", "p@ss")
    expected = "postgresql+psycopg://kameng_order:p%40ss@db:5433/kameng_order?sslmode=require"
    assert url.render_as_string(hide_password=False) == expected
