"""`kameng gateway` while what it needs is not there yet."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from psycopg import errors
from sqlalchemy.exc import OperationalError, ProgrammingError

from services.cli import http
from services.cli.http import administrator
from shared.hosting.backend import Busy

NOT_YET = (
    TimeoutError("no reply"),
    Busy("full"),
    OperationalError("SELECT", {}, errors.ConnectionFailure("no server")),
    ProgrammingError("SELECT", {}, errors.UndefinedTable("no table")),
)


def ask(monkeypatch: pytest.MonkeyPatch, *answers: Exception | str, server: Any) -> str | None:
    """The password that comes of it, when making an administrator ends in turn as given."""
    left = iter(answers)

    async def ensure(_: object) -> str:
        answer = next(left)
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(http, "ensure_administrator", ensure)
    monkeypatch.setattr(http, "LONGEST_PAUSE_SECONDS", 0)
    return asyncio.run(administrator(SimpleNamespace(), server))  # pyright: ignore[reportArgumentType]


def test_database_tables_and_writer_are_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    server = SimpleNamespace(should_exit=False)

    assert ask(monkeypatch, *NOT_YET, "the password", server=server) == "the password"


def test_the_wait_ends_when_it_is_told_to_end(monkeypatch: pytest.MonkeyPatch) -> None:
    server = SimpleNamespace(should_exit=True)

    assert ask(monkeypatch, TimeoutError(), "the password", server=server) is None


def test_what_waiting_does_not_help_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(RuntimeError, match="not accepted"):
        ask(monkeypatch, RuntimeError("not accepted"), "the password", server=SimpleNamespace(should_exit=False))
