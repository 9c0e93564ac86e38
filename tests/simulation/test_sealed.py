"""Nothing that is simulated reaches real time, randomness, threads, sockets or other processes."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.simulation.case import Case
from tests.simulation.run import run

SEEDS = ("1", "2", "3")
RUN = """
    from tests.simulation.case import Case
    from tests.simulation.run import run
    for seed in {seeds}:
        ran = run(Case(seed))
        said.append([ran.digest, dict(ran.broken)])
"""
PLANT = """
    import {module}
    decide = {module}.{function}
    def leaking(*args, **kwargs):
        import time
        time.time()
        return decide(*args, **kwargs)
    {module}.{function} = leaking
"""


@dataclass(frozen=True)
class Sealed:
    """`reached` are the ways out that were tried, `said` is what the script appended to the list of that name."""

    reached: list[str]
    said: list[Any]


def sealed(script: str) -> Sealed:
    """Have an indented script import and do things in a new process that is shut from its beginning."""
    body = "from tests.simulation.sealed import install\nseal, said = install(), []\nwith seal:" + script
    whole = f"{body}\nimport json\nprint(json.dumps([seal.reached, said]))"
    ended = subprocess.run([sys.executable, "-c", whole], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    return Sealed(*json.loads(ended.stdout.splitlines()[-1]))


def test_seeds_run_the_same_where_every_way_out_is_shut() -> None:
    inside = sealed(RUN.format(seeds=SEEDS))

    assert inside.reached == []
    assert inside.said == [[run(Case(seed)).digest, {}] for seed in SEEDS]


@pytest.mark.parametrize(
    ("module", "function"),
    [
        ("services.inventory.domain.stock", "_take"),
        ("shared.eventstore.log", "append"),
    ],
)
def test_a_look_at_the_clock_is_caught_wherever_it_hides(module: str, function: str) -> None:
    inside = sealed(PLANT.format(module=module, function=function) + RUN.format(seeds=SEEDS[:1]))

    assert "time.time by __main__.leaking" in inside.reached[0]


WAYS = {
    "time.time()": "time.time",
    "time.localtime()": "time.localtime",
    "time.strftime('%H')": "time.strftime",
    "time.sleep(0)": "time.sleep",
    "datetime.datetime.now()": "datetime.datetime.now",
    "datetime.datetime.now(datetime.UTC)": "datetime.datetime.now",
    "datetime.datetime.utcnow()": "datetime.datetime.utcnow",
    "datetime.datetime.today()": "datetime.date.today",
    "datetime.date.today()": "datetime.date.today",
    "pydantic.create_model('Model', at=(float, pydantic.Field(default_factory=time.time)))()": "time.time",
    "os.urandom(1)": "os.urandom",
    "open('/dev/urandom', 'rb')": "open /dev/urandom",
    "random.random()": "random.random",
    "random.shuffle([])": "random.shuffle",
    "random.Random()": "Random.seed",
    "random.Random(1).seed()": "Random.seed",
    "random.SystemRandom().random()": "os.urandom",
    "secrets.token_hex()": "os.urandom",
    "uuid.uuid1()": "uuid.uuid1",
    "uuid.uuid4()": "uuid.uuid4",
    "ssl.RAND_bytes(1)": "ssl.RAND_bytes",
    "x25519.X25519PrivateKey.generate()": "x25519.generate_key",
    "ed25519.Ed25519PrivateKey.generate()": "ed25519.generate_key",
    "aead.AESGCM.generate_key(256)": "AESGCM.generate_key",
    "threading.Thread(target=print).start()": "_thread.start_new_thread",
    "threading.Event().wait(0)": "Condition.wait",
    "select.select([], [], [], 0)": "select.select",
    "select.epoll()": "select.epoll",
    "asyncio.new_event_loop()": "socket.__new__",
    "socket.socket()": "socket.__new__",
    "socket.getaddrinfo('localhost', 80)": "socket.getaddrinfo",
    "subprocess.run(['true'])": "subprocess.Popen",
    "os.system('true')": "os.system",
    "os.fork()": "os.fork",
}
IMPORTS = """
    import asyncio, datetime, os, pydantic, random, secrets, select, socket, ssl, subprocess, time
    import threading, uuid
    from cryptography.hazmat.primitives.asymmetric import ed25519, x25519
    from cryptography.hazmat.primitives.ciphers import aead
"""


TRY = f"""
    for way in {[*WAYS]}:
        try:
            eval(way)
        except Exception:
            said.append(len(seal.reached))
"""


@pytest.fixture(scope="module")
def tried() -> dict[str, list[str]]:
    """What each way came to."""
    inside = sealed(IMPORTS + TRY)
    return {way: inside.reached[start:end] for way, (start, end) in zip(WAYS, pairwise([0, *inside.said]), strict=True)}


@pytest.mark.parametrize("way", WAYS)
def test_every_way_out_is_shut(way: str, tried: dict[str, list[str]]) -> None:
    assert [reached.partition(" by ")[0] for reached in tried[way]] == [WAYS[way]]


def test_what_needs_nothing_from_outside_is_let_through() -> None:
    inside = sealed(
        """
    import datetime, random, time, uuid
    said += [random.Random("1").random() == random.Random("1").random(), time.gmtime(0).tm_year]
    said += [datetime.datetime.fromtimestamp(0, datetime.UTC).year, uuid.uuid5(uuid.NAMESPACE_OID, "1").version]
"""
    )

    assert inside == Sealed([], [True, 1970, 1970, 5])


# What the sources say, also of lines that no seed comes to

ROOT = Path(__file__).parents[2]
ROOMS = ("domain", "reactions", "projection", "adapters", "service")
PATTERNS = (
    *(f"services/*/{room}.py" for room in ROOMS),
    *(f"services/*/{room}/**/*.py" for room in ROOMS),
    *("shared/contracts/**/*.py", "shared/laws/**/*.py", "laws/**/*.py"),
)
SOURCES = sorted(str(path.relative_to(ROOT)) for pattern in PATTERNS for path in ROOT.glob(pattern))
OUTSIDE = {
    *("_thread", "asyncio", "concurrent", "ctypes", "http.client", "http.server", "multiprocessing", "os", "queue"),
    *("random", "sched", "secrets", "select", "selectors", "signal", "smtplib", "socket", "socketserver", "ssl"),
    *("subprocess", "threading", "time", "urllib.request", "uuid"),
}
CLOCKS = {f"{owner}.{name}" for owner in ("datetime", "date") for name in ("now", "utcnow", "today")}
# The outside world itself: built only for the address of a real mail server, which no simulation has.
EXPECTED = {"services/notification/adapters/mail.py": {"smtplib", "ssl"}}


def ways_out(source: str) -> set[str]:
    """The modules that a source imports, and the clocks that it names."""
    return {way for node in ast.walk(ast.parse(source)) for way in _ways_out(node)}


def _ways_out(node: ast.AST) -> list[str]:
    match node:
        case ast.Import(names=names):
            return [alias.name for alias in names if _is_outside(alias.name)]
        case ast.ImportFrom(module=str(module), names=names):
            whole = [module] if _is_outside(module) else []
            return whole or [name for alias in names if _is_outside(name := f"{module}.{alias.name}")]
        case ast.Attribute(value=ast.Name(id=owner) | ast.Attribute(attr=owner), attr=name):
            return [clock] if (clock := f"{owner}.{name}") in CLOCKS else []
        case _:
            return []


def _is_outside(module: str) -> bool:
    return any(f"{module}.".startswith(f"{outside}.") for outside in OUTSIDE)


@pytest.mark.parametrize("source", SOURCES)
def test_no_room_names_a_way_out(source: str) -> None:
    assert ways_out((ROOT / source).read_text()) == EXPECTED.get(source, set())


@pytest.mark.parametrize(
    ("line", "way"),
    [
        ("import time", "time"),
        ("import os.path", "os.path"),
        ("from concurrent.futures import Future", "concurrent.futures"),
        ("from uuid import uuid4", "uuid"),
        ("from urllib import request", "urllib.request"),
        ("def decide(): return datetime.now(UTC)", "datetime.now"),
        ("at: datetime = field(default_factory=datetime.utcnow)", "datetime.utcnow"),
        ("def decide(): return dt.date.today()", "date.today"),
    ],
)
def test_a_way_out_is_seen_in_a_source(line: str, way: str) -> None:
    assert ways_out(line) == {way}


def test_every_room_is_looked_into() -> None:
    assert {"services/ledger/domain/hold.py", "services/order/reactions.py", "laws/money.py"} <= {*SOURCES}
    assert all((ROOT / source).is_file() for source in EXPECTED)
