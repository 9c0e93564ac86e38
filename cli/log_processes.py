"""What `kameng log-server` and `kameng publisher` have in common: a process that reads one service's log for others."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Protocol

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, NoResultFound

from cli.common import fail, known, needed
from shared.eventstore.engines import is_outage, open_engine
from shared.eventstore.log import read_head
from shared.runtime.settings import own_url
from shared.telemetry.logs import configure_logs


class LogProcess(Protocol):
    """Runs until `stop` is set."""

    def run(self, stop: threading.Event) -> None: ...


def run_until_stopped(
    service: str,
    database_url: str,
    amqp_url: str,
    health_address: str,
    start: Callable[[sa.Engine], tuple[LogProcess, AbstractContextManager[object]]],
) -> None:
    """Run a process on a service's log until SIGTERM or SIGINT. `start` returns the process and its health server, and
    raises OSError when that can't listen on `health_address`. Ends the command when something it needs is missing."""
    configure_logs(service=service)
    needed(KAMENG_DATABASE_URL=database_url, KAMENG_AMQP_URL=amqp_url)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    engine = open_engine(own_url(database_url, known(service)), writer=False)
    try:
        process, health = start(engine)
    except OSError as error:
        fail(f"{health_address} can't be listened on: {error.strerror}.")
    with health:
        process.run(stop)
    engine.dispose()


def position_of_head(engine: sa.Engine) -> int | None:
    """The position of the log's head, None when the database does not answer or its writer has not run yet."""
    try:
        with engine.connect() as connection:
            return read_head(connection).position
    except NoResultFound:
        return None
    except DBAPIError as error:
        if not is_outage(error):
            raise
        return None
