"""Monkey-patches a process with eventlet, and has psycopg yield to other greenthreads while it waits."""

from __future__ import annotations

import os
import sys
import warnings

with warnings.catch_warnings():
    # eventlet warns at each import that new projects should not use it; nameko needs it.
    warnings.simplefilter("ignore")
    import eventlet

WAIT = "wait_selector"


def make_green() -> None:
    """Monkey-patch this process. Call it before other imports: modules that already hold a socket or lock stay
    unpatched."""
    early = {"psycopg", "sqlalchemy", "kombu", "nameko"} & set(sys.modules)
    if early:
        raise RuntimeError(f"too late to monkey-patch this process: {', '.join(sorted(early))} imported already")
    # psycopg's own wait is C code, which blocks every greenthread while a statement runs.
    os.environ["PSYCOPG_WAIT_FUNC"] = WAIT
    eventlet.monkey_patch()


def assert_green() -> None:
    """Raises RuntimeError in a process where a greenthread that waits for the database would block all others."""
    from psycopg import waiting

    if not eventlet.patcher.is_monkey_patched("select"):
        raise RuntimeError("this process is not monkey-patched")
    if waiting.wait is not waiting.wait_selector:
        raise RuntimeError(f"psycopg's own wait blocks: set PSYCOPG_WAIT_FUNC={WAIT} before its import")
