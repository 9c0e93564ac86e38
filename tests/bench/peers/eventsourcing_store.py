"""The same appends, reads and rebuilds with eventsourcing, set as its documentation advises for PostgreSQL."""

from __future__ import annotations

import multiprocessing
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from eventsourcing.application import Application  # pyright: ignore[reportMissingImports]
from eventsourcing.domain import Aggregate, event  # pyright: ignore[reportMissingImports]

POOL, PAGE = 10, 2_000


class Button(Aggregate):
    """Counts its presses, as ours does."""

    def __init__(self) -> None:
        self.number = 0
        self.notes: tuple[str, ...] = ()

    @event("Pressed")
    def press(self, note: str) -> None:
        self.number += 1
        self.notes = (*self.notes, note)[-3:]


def _application(url: sa.URL, *, create: bool = True) -> Application[UUID]:
    """`create` its tables and functions: many at once fall over each other."""
    return Application[UUID](
        env={
            "PERSISTENCE_MODULE": "eventsourcing.postgres",
            "POSTGRES_DBNAME": url.database or "",
            "POSTGRES_HOST": url.host or "",
            "POSTGRES_PORT": str(url.port),
            "POSTGRES_USER": url.username or "",
            "POSTGRES_PASSWORD": str(url.password),
            "POSTGRES_POOL_SIZE": str(POOL),
            "POSTGRES_ENABLE_DB_FUNCTIONS": "y",
            "CREATE_TABLE": "y" if create else "n",
        }
    )


class Peer:
    """One application; use it as a context. Each of its callers has an aggregate of its own."""

    def __init__(self, url: sa.URL) -> None:
        self.url, self.application = url, _application(url)
        self._buttons: dict[int, Button] = {}

    def __enter__(self) -> Peer:
        return self

    def __exit__(self, *_: object) -> None:
        self.application.close()

    def append(self, callers: int, calls: int, size: int) -> float:
        """Events a second by so many threads."""
        started = time.perf_counter()
        with ThreadPoolExecutor(callers) as threads:
            list(threads.map(lambda caller: self._call_all(caller, calls, size), range(callers)))
        return callers * calls * size / (time.perf_counter() - started)

    def _call_all(self, caller: int, calls: int, size: int) -> None:
        button = self._buttons.setdefault(caller, Button())
        _press(self.application, button, calls, size)

    def read(self) -> int:
        """The whole log, decoded; how many events."""
        log, mapper, start, count = self.application.recorder, self.application.mapper, 0, 0
        while found := log.select_notifications(start, PAGE, inclusive_of_start=False):
            for notification in found:
                assert mapper.to_domain_event(notification) is not None
            start, count = found[-1].id, count + len(found)
        return count

    def rebuild(self) -> int:
        """The longest aggregate from its events; how many."""
        return self.longest().version

    def longest(self) -> Any:
        """The aggregate with the most events, made anew."""
        longest = max(self._buttons.values(), key=lambda button: button.version)
        return self.application.repository.get(longest.id)


def _press(application: Application[UUID], button: Button, calls: int, size: int) -> None:
    for _ in range(calls):
        for _ in range(size):
            button.press("pressed")
        application.save(button)


_mine: Application[UUID] | None = None


def _open(url: str) -> None:
    global _mine
    _mine = _application(sa.make_url(url), create=False)


def _call_all(calls: int, size: int) -> None:
    assert _mine is not None
    _press(_mine, Button(), calls, size)


def appended_by_processes(url: sa.URL, callers: int, calls: int, size: int) -> float:
    """Events a second by so many processes, not counting their start."""
    dsn = url.render_as_string(hide_password=False)
    spawned = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(callers, mp_context=spawned, initializer=_open, initargs=(dsn,)) as processes:
        list(processes.map(_call_all, [1] * callers * 4, [1] * callers * 4))
        started = time.perf_counter()
        list(processes.map(_call_all, [calls] * callers, [size] * callers))
        return callers * calls * size / (time.perf_counter() - started)
