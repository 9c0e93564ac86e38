"""How PostgreSQL is opened, and which of its errors are outages."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import LiteralString

import psycopg
import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from shared.eventlog import log
from shared.eventlog.engines import is_outage, open_engine
from tests.eventlog.builders import append, created, event, events, read


@pytest.fixture
def url(postgres: Callable[[], str]) -> str:
    return postgres()


@pytest.fixture
def writing(url: str) -> Iterator[sa.Engine]:
    engine = open_engine(url, writer=True)
    yield engine
    engine.dispose()


@pytest.fixture
def copies(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The COPY statements that are sent."""
    seen: list[str] = []
    copy = psycopg.Cursor.copy

    def noted(cursor: psycopg.Cursor, statement: LiteralString) -> object:
        seen.append(statement)
        return copy(cursor, statement)

    monkeypatch.setattr(psycopg.Cursor, "copy", noted)
    return seen


def shown(engine: sa.Engine, setting: str) -> str:
    with engine.connect() as connection:
        return connection.exec_driver_sql(f"SHOW {setting}").scalar_one()


def test_several_events_are_one_copy(writing: sa.Engine, copies: list[str]) -> None:
    new = [event(1, "button-a", 1, "tab\tnew\nline \\N 卡盟"), event(2, "button-b", 1, ""), event(3, "button-a", 2)]
    append(writing, created(writing), new)
    assert read(writing) == new
    assert len(copies) == 1
    assert log.check_chain(writing) is None


def test_a_copy_that_clashes_is_fenced(writing: sa.Engine, copies: list[str]) -> None:
    stale = created(writing)
    append(writing, stale, events(1, 1))
    with pytest.raises(log.Fenced):
        append(writing, stale, events(1, 2))
    assert len(copies) == 1
    assert read(writing) == events(1, 1)


def test_sessions_say_who_they_are(url: str) -> None:
    for writer, role in [(True, "writer"), (False, "reader")]:
        engine = open_engine(url, writer=writer)
        assert shown(engine, "application_name") == f"kameng {engine.url.database} {role}"
        engine.dispose()
    named = open_engine(sa.make_url(url).update_query_dict({"application_name": "mine"}), writer=True)
    assert shown(named, "application_name") == "mine"
    named.dispose()


def test_a_writer_is_durable_and_never_idle_in_a_transaction_for_long(writing: sa.Engine) -> None:
    assert shown(writing, "synchronous_commit") == "on"
    assert shown(writing, "idle_in_transaction_session_timeout") == "10s"
    assert shown(writing, "search_path").startswith("test_")


def test_what_is_too_large_for_the_database_is_no_outage_and_a_lost_session_is_one(writing: sa.Engine) -> None:
    head = created(writing)
    incompressible = "".join(f"{n:x}" for n in range(9_000))
    with pytest.raises(DBAPIError) as too_large:
        append(writing, head, [event(1, f"button-{incompressible}", 1)])
    assert not is_outage(too_large.value)

    with writing.connect() as connection, pytest.raises(DBAPIError) as lost:
        connection.execute(sa.text("SELECT pg_terminate_backend(pg_backend_pid())"))
    assert is_outage(lost.value)
    assert append(writing, head, events(1, 2)).position == 2
