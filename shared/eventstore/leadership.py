"""Leader election: the process that holds an advisory lock in the service's PostgreSQL database leads."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import LiteralString

import psycopg
import sqlalchemy as sa
import structlog

from shared.eventstore.engines import CONNECTING

WRITER = "writer"
PING_SECONDS = 0.5
FROZEN_SECONDS = 5

# A frozen process keeps its connection, and so its lock: the server ends a session that is silent for long. Keepalives
# find the connections of machines that are gone.
_SESSION = (
    f"-c idle_session_timeout={FROZEN_SECONDS}s -c tcp_keepalives_idle=2 -c tcp_keepalives_interval=1 "
    "-c tcp_keepalives_count=3"
)
logger = structlog.get_logger()


class LeadershipLost(RuntimeError):
    """The connection that holds the lock is lost: another process may lead by now."""


def leader_key(service: str, role: str = WRITER) -> int:
    """The key of the advisory lock of a service's leader in a role."""
    digest = hashlib.sha256(f"kameng {role} {service}".encode()).digest()
    return int.from_bytes(digest[:8], "big", signed=True)


def _connect(url: str | sa.URL, service: str) -> psycopg.Connection:
    """A connection whose session, and its locks, end within seconds after its process."""
    made = sa.make_url(url)
    place = made.translate_connect_args(username="user", database="dbname")
    options = f"{made.query.get('options', '')} {_SESSION}".strip()
    settings = {**CONNECTING, "application_name": f"kameng lead of {service}", **place, **made.query}
    return psycopg.connect(autocommit=True, **{**settings, "options": options})


class Leadership:
    """The lock of one role of a service, and the connection that holds it.

    `on_lost` is called, from another thread, when the lock is lost.
    """

    def __init__(self, url: str | sa.URL, service: str, on_lost: Callable[[], object], role: str = WRITER) -> None:
        self._key = leader_key(service, role)
        self._url, self._service, self._role, self._on_lost = url, service, role, on_lost
        self._connection: psycopg.Connection | None = None
        self._released = threading.Event()
        self._logged = ""
        self._ahead: timedelta | None = None

    def acquire(self) -> bool:
        """Try once to become the leader. Returns False when another process leads, or the database can't be reached."""
        try:
            if self._connection is None:
                self._connection = _connect(self._url, self._service)
            row = self._connection.execute("SELECT pg_try_advisory_lock(%s)", [self._key]).fetchone()
            self._look_at_clock(self._connection)
        except psycopg.Error as error:
            self._log_once(f"no database to be the {self._role} of", error=str(error).strip())
            self.release()
            return False
        if not row or not row[0]:
            self._log_once(f"standing by: another {self._role} has the lock")
            return False
        self._log_once("leading")
        self._released = threading.Event()
        threading.Thread(target=self._watch, args=(self._connection, self._released), daemon=True).start()
        return True

    def _log_once(self, state: str, **facts: str) -> None:
        if state != self._logged:
            logger.info(state, service=self._service, role=self._role, **facts)
            self._logged = state

    def _watch(self, connection: psycopg.Connection, released: threading.Event) -> None:
        try:
            while not released.wait(PING_SECONDS):
                self._look_at_clock(connection)
        except psycopg.Error:
            connection.close()
            self._on_lost()

    def _look_at_clock(self, connection: psycopg.Connection) -> None:
        row = connection.execute("SELECT clock_timestamp()").fetchone()
        if row is not None:
            self._ahead = row[0] - datetime.now(UTC)

    def server_time(self) -> datetime | None:
        """The server's time, reckoned from when it was last read; None before that."""
        return None if self._ahead is None else datetime.now(UTC) + self._ahead

    def clock_ahead(self) -> float | None:
        """How many seconds this machine's clock is ahead of the server's; None before it was read."""
        return None if self._ahead is None else -self._ahead.total_seconds()

    def check(self) -> None:
        """Raises LeadershipLost when the lock is known to be lost."""
        if self._connection is None or self._connection.closed:
            raise LeadershipLost("the connection that holds the lock is gone")

    def ping(self) -> None:
        """Ask the server. Raises LeadershipLost."""
        self.execute("SELECT 1", [])

    def execute(self, statement: LiteralString, values: list[str]) -> None:
        """Run a statement on the connection that holds the lock. Raises LeadershipLost."""
        self.check()
        try:
            if self._connection is not None:
                self._connection.execute(statement, values)
        except psycopg.Error as error:
            raise LeadershipLost("the connection that holds the lock is gone") from error

    def release(self) -> None:
        """Release the lock, if this process holds it."""
        self._released.set()
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
