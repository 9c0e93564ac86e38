"""Makes a process cooperative: eventlet in place of threads, and a database driver that yields while it waits."""

from __future__ import annotations

import os
import sys
import warnings

with warnings.catch_warnings():
    # It says at each import that new projects should not use it; nameko is built on it.
    warnings.simplefilter("ignore")
    import eventlet

WAIT = "wait_selector"


def make_green() -> None:
    """Call it before anything else is imported: what holds a socket or a lock by then stays as it is."""
    early = {"psycopg", "sqlalchemy", "kombu", "nameko"} & set(sys.modules)
    if early:
        raise RuntimeError(f"too late to make this process green: {', '.join(sorted(early))} imported already")
    # psycopg's own wait is C code, which would stop every greenthread for as long as a statement runs.
    os.environ["PSYCOPG_WAIT_FUNC"] = WAIT
    eventlet.monkey_patch()


def assert_green() -> None:
    """Raises RuntimeError in a process where one waiting for the database would stop all the others."""
    from psycopg import waiting

    if not eventlet.patcher.is_monkey_patched("select"):
        raise RuntimeError("this process is not monkey-patched")
    if waiting.wait is not waiting.wait_selector:
        raise RuntimeError(f"psycopg waits in its own way: set PSYCOPG_WAIT_FUNC={WAIT} before its import")
