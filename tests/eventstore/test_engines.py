"""How PostgreSQL is opened, and which of its errors are outages."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from psycopg.pq import TransactionStatus
from sqlalchemy.exc import DBAPIError

from shared.eventstore import chain_check, log, log_reader
from shared.eventstore.engines import is_outage, open_engine
from shared.eventstore.pipeline import PipelinedConnection
from tests.eventstore.builders import (
    append,
    created,
    event,
    events,
    read,
)


@pytest.fixture
def url(postgres: Callable[[], str]) -> str:
    return postgres()


@pytest.fixture
def writing(url: str) -> Iterator[sa.Engine]:
    engine = open_engine(url, writer=True)
    yield engine
    engine.dispose()


@pytest.fixture
def messages(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The messages to the server: the first words of their statements."""
    seen: list[list[str]] = []
    exchange = PipelinedConnection._exchange

    def noted(connection: PipelinedConnection, *steps: Any) -> object:
        seen.append([" ".join(step.prepared.text.decode().split()[:2]) for step in steps])
        return exchange(connection, *steps)

    monkeypatch.setattr(PipelinedConnection, "_exchange", noted)
    return seen


def shown(engine: sa.Engine, setting: str) -> str:
    with engine.connect() as connection:
        return connection.exec_driver_sql(f"SHOW {setting}").scalar_one()


def test_a_transaction_that_only_writes_is_one_message(writing: sa.Engine, messages: list[list[str]]) -> None:
    head = created(writing)
    messages.clear()
    new = [event(1, "button-a", 1, "tab\tnew\nline \\N 卡盟"), event(2, "button-b", 1, ""), event(3, "button-a", 2)]
    with writing.begin() as connection:
        log.move_reader(connection, "lamp", 0, 7)
        log.append(connection, head, new)
    assert messages == [["BEGIN", "WITH hit", *["INSERT INTO"] * 3, "WITH hit", "COMMIT"]]
    assert read(writing) == new
    assert chain_check.check_chain(writing) is None


def test_a_refused_statement_leaves_nothing_and_the_session_goes_on(
    writing: sa.Engine, messages: list[list[str]]
) -> None:
    stale = created(writing)
    append(writing, stale, events(1, 1))
    messages.clear()
    for _ in range(2):
        with pytest.raises(log.Fenced, match="is taken"):
            append(writing, stale, events(1, 2))
    assert len(messages) == 2
    with writing.connect() as connection:
        head = log.read_head(connection)
        log.move_reader(connection, "lamp", 5, 7)
        log.append(connection, head, events(2, 1))
        with pytest.raises(log.Fenced, match="no longer at 5"):
            connection.commit()
    assert read(writing) == events(1, 1)


def test_what_is_written_is_seen_by_every_way_of_reading(writing: sa.Engine) -> None:
    head = created(writing)
    counted = sa.text("SELECT count(*) FROM log")
    with writing.connect() as connection:
        log.append(connection, head, events(1, 2))
        assert connection.execute(counted).scalar_one() == 2
        assert len(log_reader.read(connection, "button", 0, 9)) == 2
        connection.rollback()
        log.append(connection, head, events(1, 2))
        assert len(log_reader.read(connection, "button", 0, 9)) == 2
        connection.rollback()
        log.append(connection, head, events(1, 2))
        connection.rollback()
        assert log_reader.read(connection, "button", 0, 9) == []


def test_a_question_that_comes_first_begins_no_transaction(writing: sa.Engine) -> None:
    created(writing)
    with writing.connect() as connection:
        log_reader.read(connection, "button", 0, 9)
        driver = connection.connection.driver_connection
        assert isinstance(driver, PipelinedConnection)
        assert driver.info.transaction_status == TransactionStatus.IDLE


@pytest.mark.parametrize("way", ["commit", "fetch"])
def test_a_session_that_is_gone_is_an_outage_and_replaced(writing: sa.Engine, way: str) -> None:
    head = created(writing)
    with writing.connect() as connection:
        driver = connection.connection.driver_connection
        assert isinstance(driver, PipelinedConnection)
        with writing.connect() as other:
            ended = sa.text("SELECT pg_terminate_backend(:pid, 5000)")
            assert other.execute(ended, {"pid": driver.info.backend_pid}).scalar_one()
        log.append(connection, head, events(1, 1))
        with pytest.raises(DBAPIError) as lost:
            connection.commit() if way == "commit" else log_reader.read(connection, "button", 0, 9)
    assert is_outage(lost.value)
    assert append(writing, head, events(1, 2)).position == 2


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
