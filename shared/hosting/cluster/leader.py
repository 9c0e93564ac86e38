"""One writer a service at a time: whoever holds a lock in the service's database."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from typing import LiteralString

import psycopg
import structlog

from shared.hosting.cluster.database import connect_for_lock

PING_SECONDS = 0.5
logger = structlog.get_logger()


class LeadLost(RuntimeError):
    """The connection that holds the lock is gone: another writer may have it by now."""


class Leader:
    """The lock of one service's writer, and the connection that holds it.

    `on_lost` is called, from another thread, when the lock is found lost.
    """

    def __init__(self, url: str, service: str, on_lost: Callable[[], object]) -> None:
        digest = hashlib.sha256(f"kameng writer {service}".encode()).digest()
        self._key = int.from_bytes(digest[:8], "big", signed=True)
        self._url, self._service, self._on_lost = url, service, on_lost
        self._connection: psycopg.Connection | None = None
        self._released = threading.Event()
        self._told = ""

    def acquire(self) -> bool:
        """Try once to become the leader. False when there is another, or no database."""
        try:
            if self._connection is None:
                self._connection = connect_for_lock(self._url)
            row = self._connection.execute("SELECT pg_try_advisory_lock(%s)", [self._key]).fetchone()
        except psycopg.Error as error:
            self._tell("no database to be the writer of", error=str(error).strip())
            self.release()
            return False
        if not row or not row[0]:
            self._tell("standing by: another writer has the lock")
            return False
        self._tell("leading")
        self._released = threading.Event()
        threading.Thread(target=self._watch, args=(self._connection, self._released), daemon=True).start()
        return True

    def _tell(self, state: str, **facts: str) -> None:
        if state != self._told:
            logger.info(state, service=self._service, **facts)
            self._told = state

    def _watch(self, connection: psycopg.Connection, released: threading.Event) -> None:
        try:
            while not released.wait(PING_SECONDS):
                connection.execute("SELECT 1")
        except psycopg.Error:
            connection.close()
            self._on_lost()

    def check(self) -> None:
        """Raises LeadLost when the lock is known to be lost."""
        if self._connection is None or self._connection.closed:
            raise LeadLost("the connection that holds the lock is gone")

    def ping(self) -> None:
        """Ask the server. Raises LeadLost."""
        self._execute("SELECT 1", [])

    def notify(self, head: int) -> None:
        """Tell the log server how far the log reaches now. Raises LeadLost."""
        self._execute("SELECT pg_notify('kameng_log', %s)", [str(head)])

    def _execute(self, statement: LiteralString, values: list[str]) -> None:
        self.check()
        try:
            if self._connection is not None:
                self._connection.execute(statement, values)
        except psycopg.Error as error:
            raise LeadLost("the connection that holds the lock is gone") from error

    def release(self) -> None:
        """Let others write; nothing happens when the lock is not held."""
        self._released.set()
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
