"""Shuts every way out of a process: to real time, randomness, threads, sockets and other processes.

`install` comes before all other imports, so that nobody holds a way out from before. What cannot be replaced is heard
by an audit hook, which Python never takes back: a sealed process is a process of its own.
"""

from __future__ import annotations

import _thread
import ctypes
import gc
import os
import sys
import time
from collections.abc import Callable
from importlib import import_module
from types import FrameType, ModuleType
from typing import Any

TIME = (
    *("time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns", "process_time"),
    *("process_time_ns", "thread_time", "thread_time_ns", "clock_gettime", "clock_gettime_ns", "sleep"),
)
# With fewer arguments than these they look at the clock.
GIVEN_A_TIME = {"localtime": 1, "gmtime": 1, "ctime": 1, "asctime": 1, "strftime": 2}
WAITING = ("select", "poll", "epoll")
AUDITED = ("socket.", "subprocess.", "os.exec", "os.fork", "os.posix_spawn", "os.system", "pty.", "signal.")
DEVICES = ("/dev/", "/proc/", "/sys/")
# The only ones that may, because nothing that a run does depends on what they are told.
HARMLESS = {
    ("http.cookiejar", "time.time"): "which cookies are too old, where nobody sets any",
    ("httpx._client", "time.perf_counter"): "how long an answer took",
    ("logging", "time.time"): "when a log line was written",
    ("opentelemetry.context", "uuid.uuid4"): "the name of a key in a dictionary",
    **{
        (
            "prometheus_client.process_collector",
            f"open /proc/{file}",
        ): "what it tells of the process, once, at its import"
        for file in ("stat", "self/stat", "self/limits")
    },
    ("rich.style", "random.getrandbits"): "the name of a style",
    ("sqlalchemy.pool.base", "time.time"): "how old a connection is",
    ("sqlalchemy.sql.compiler", "time.perf_counter"): "how long a statement took to compile",
    ("structlog.processors", "datetime.datetime.now"): "when a log line was written",
    ("tenacity", "time.monotonic"): "how long tries have taken, where only their number counts",
    ("uuid", "os.urandom"): "what uuid4 needs, which is shut itself",
}


class Reached(Exception):
    """Somebody was on the way out."""


class Seal:
    """Shut while it is a context. `reached` tells what was tried meanwhile, also where the error was swallowed."""

    def __init__(self) -> None:
        self.is_shut = False
        self.reached: list[str] = []

    def __enter__(self) -> Seal:
        self.is_shut = True
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> bool:
        self.is_shut = False
        return kind is Reached

    def guard(
        self,
        owner: ModuleType | type,
        name: str,
        is_outside: Callable[..., bool] = lambda *args, **kwargs: True,
        bound: Callable[[Callable[..., Any]], Any] = staticmethod,
    ) -> None:
        """Replace a function of a module or a class, `bound` as it was. `is_outside` tells which calls go out."""
        real = getattr(owner, name)

        def guarded(*args: Any, **kwargs: Any) -> Any:
            if self.is_shut and is_outside(*args, **kwargs):
                self.leaving(f"{owner.__name__}.{name}")
            return real(*args, **kwargs)

        setattr(owner, name, bound(guarded))

    def guard_builtin(self, owner: type, name: str) -> None:
        """Replace a class method of a class written in C, to which Python lets nobody assign."""
        real = owner.__dict__[name]

        def guarded(cls: type, *args: Any, **kwargs: Any) -> Any:
            if self.is_shut:
                self.leaving(f"{owner.__module__}.{owner.__name__}.{name}")
            return real.__get__(None, cls)(*args, **kwargs)

        (attributes,) = (it for it in gc.get_referents(owner.__dict__) if isinstance(it, dict))
        attributes[name] = classmethod(guarded)
        ctypes.pythonapi.PyType_Modified(ctypes.py_object(owner))

    def audit(self, event: str, args: tuple[Any, ...]) -> None:
        if not self.is_shut:
            return
        if event.startswith(AUDITED):
            self.leaving(event)
        elif event == "open" and str(args[0]).startswith(DEVICES):
            self.leaving(f"open {args[0]}")

    def leaving(self, way: str) -> None:
        """Raises Reached, unless whoever calls is known to be harmless."""
        frame = _caller()
        module = frame.f_globals["__name__"]
        if (module, way) not in HARMLESS:
            self.reached.append(f"{way} by {module}.{frame.f_code.co_name}, line {frame.f_lineno}")
            raise Reached(self.reached[-1])


def _caller() -> FrameType:
    """Whoever is nearest: code that has a library reach out in its place is not hidden by it."""
    frame = sys._getframe(1)
    while frame.f_globals["__name__"] == __name__ and frame.f_back:
        frame = frame.f_back
    return frame


def install() -> Seal:
    """A seal, open at first. Raises RuntimeError when others may hold a way out already."""
    if early := {"cryptography", "datetime", "random", "select", "threading"} & sys.modules.keys():
        raise RuntimeError(f"{', '.join(early)} came before")
    seal = Seal()
    _shut_builtins(seal)
    _shut_libraries(seal)
    sys.addaudithook(seal.audit)
    return seal


def _shut_builtins(seal: Seal) -> None:
    for name in TIME:
        seal.guard(time, name)
    for name, enough in GIVEN_A_TIME.items():
        seal.guard(time, name, lambda *args, enough=enough: len(args) < enough)
    for name in ("urandom", "getrandom", "times"):
        seal.guard(os, name)
        seal.guard(import_module(os.name), name)
    for name in ("start_new_thread", "start_new"):
        seal.guard(_thread, name)


def _shut_libraries(seal: Seal) -> None:
    """Each is imported when what it is made of is shut already."""
    import datetime
    import random
    import select
    import ssl
    import threading
    import uuid

    for name in ("now", "utcnow"):
        seal.guard_builtin(datetime.datetime, name)
    seal.guard_builtin(datetime.date, "today")
    seal.guard(threading.Condition, "wait", bound=_method)
    for name in WAITING:
        seal.guard(select, name)
    seal.guard(random.Random, "seed", lambda self, seed=None, version=2: seed is None, _method)
    for name, function in vars(random).items():
        if getattr(function, "__self__", None) is random._inst:  # pyright: ignore[reportAttributeAccessIssue]
            seal.guard(random, name)
    for name in ("uuid1", "uuid4"):
        seal.guard(uuid, name)
    seal.guard(ssl, "RAND_bytes")
    _shut_cryptography(seal)


def _shut_cryptography(seal: Seal) -> None:
    """It has a random source of its own, beneath Python."""
    from cryptography.hazmat.bindings._rust import openssl

    for module in [it for it in vars(openssl).values() if isinstance(it, ModuleType)]:
        for name, made in [*vars(module).items()]:
            if isinstance(made, type) and hasattr(made, "generate_key"):
                seal.guard(made, "generate_key")
            elif name.startswith("generate"):
                seal.guard(module, name)


def _method(function: Callable[..., Any]) -> Callable[..., Any]:
    return function
