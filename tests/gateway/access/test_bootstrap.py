"""The first administrator: one, with one password that works, however many processes start, and whenever they end."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from threading import Barrier, Lock

import pytest

from services.gateway.access.bootstrap import ensure_administrator
from services.gateway.access.credentials import Credentials
from shared.contracts.gateway import AddStaff, StaffAdded
from shared.messages.messages import CommandMessage, Reply
from shared.runtime.clock import Clock
from shared.runtime.ids import Ids
from shared.runtime.settings import Settings
from shared.security.secrets import Secrets
from tests.databases import NewDatabase
from tests.gateway.builders import FakeBackend, Shop, database
from tests.waiting import PATIENCE

PROCESSES = 3
EXISTS = Reply("refused", "gateway", 1, code="staff-exists", status=409)


@dataclass
class Starting(FakeBackend):
    """One of several that start at once: none is answered before all have asked for an administrator."""

    all_ask: Barrier = field(default_factory=lambda: Barrier(PROCESSES))
    alone: Lock = field(default_factory=Lock)
    added: list[str] = field(default_factory=list)

    async def send(self, service: str, message: CommandMessage) -> Reply:
        self.all_ask.wait(PATIENCE)
        with self.alone:
            if self.added:
                return EXISTS
            self.added.append(message.id)
            return await super().send(service, message)


def ensure(backend: FakeBackend) -> list[str]:
    """The passwords that it shows."""
    passwords: list[str] = []
    asyncio.run(ensure_administrator(backend, passwords.append))
    return passwords


def works(backend: FakeBackend, password: str) -> bool:
    return Credentials(backend.reads).check("staff", "admin", password) == "admin"


def test_the_first_administrator_is_made_once(shop: Shop) -> None:
    (password,) = ensure(shop.backend)

    assert len(password) >= 32
    assert works(shop.backend, password)
    assert ensure(shop.backend) == []


def test_of_several_that_start_at_once_one_tells_a_password_that_works(
    new_database: NewDatabase, tmp_path: Path
) -> None:
    url, ask, alone, added = new_database(), Barrier(PROCESSES), Lock(), list[str]()

    backends = [
        Starting(
            Settings(var=tmp_path),
            Clock(),
            Ids(),
            Secrets(tmp_path),
            database(url),
            all_ask=ask,
            alone=alone,
            added=added,
        )
        for _ in range(PROCESSES)
    ]
    try:
        with ThreadPoolExecutor(PROCESSES) as pool:
            passwords = [password for found in pool.map(ensure, backends) for password in found]

        assert len(passwords) == 1
        assert works(backends[0], passwords[0])
        assert ensure(backends[1]) == []
    finally:
        for one in backends:
            one.reads.dispose()


def test_who_ends_before_the_password_is_shown_has_set_none(shop: Shop) -> None:
    def end(_: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Credentials(shop.backend.reads).claim("staff", "admin", "admin", "a password that nobody saw", end)

    (password,) = ensure(shop.backend)
    assert works(shop.backend, password)


def test_a_half_made_administrator_is_finished(shop: Shop) -> None:
    shop.backend.happen(StaffAdded(username="admin", role="administrator"))

    assert len(ensure(shop.backend)) == 1
    assert shop.backend.sent == []


def test_an_administrator_that_is_refused_is_an_error(shop: Shop) -> None:
    shop.backend.answers[AddStaff] = Reply("refused", "gateway", 1, code="halted", status=503)

    with pytest.raises(RuntimeError, match="halted"):
        ensure(shop.backend)
