"""Hearing at once that a log has grown: the writer notifies after each commit."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread

import psycopg
import sqlalchemy as sa
from structlog.typing import FilteringBoundLogger

from shared.eventlog.engines import CONNECTING
from shared.messaging.amqp import keep_at_it

CHANNEL = "kameng_log"
LISTEN_SECONDS = 0.5


@contextmanager
def listening(
    engine: sa.Engine, name: str, heard: Callable[[], object], stop: Event, log: FilteringBoundLogger
) -> Iterator[None]:
    """Meanwhile `heard` is called, on other threads, when the log may have grown, and when it is time to stop.

    Only PostgreSQL notifies; it shows the connection under `name`. To be left only when told to stop.
    """
    helpers = [Thread(target=lambda: stop.wait() and heard(), daemon=True)]
    if engine.dialect.name == "postgresql":
        session = (lambda: _listen(engine, name, heard, stop), stop, log)
        helpers.append(Thread(target=keep_at_it, args=session, daemon=True))
    for helper in helpers:
        helper.start()
    yield
    for helper in helpers:
        helper.join()


def _listen(engine: sa.Engine, name: str, heard: Callable[[], object], stop: Event) -> None:
    arguments, options = engine.dialect.create_connect_args(engine.url)
    options = {**CONNECTING, **options, "application_name": name}
    with psycopg.connect(*arguments, **options, autocommit=True) as connection:
        connection.execute(f"LISTEN {CHANNEL}")
        heard()
        while not stop.is_set():
            for _ in connection.notifies(timeout=LISTEN_SECONDS):
                heard()
