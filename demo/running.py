"""Runs the demo: a server in its own process, sandboxes, the orders, and the wait for the last of them."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from demo.market import market
from demo.paths import DemoMarket, Paths
from demo.scenario import Planned, plan
from demo.shop import (
    Answer,
    Unexpected,
    answer_of,
    until,
)
from sandboxes.running import CHANNEL, SUPPLIERS, run_sandboxes
from shared.security.secrets import Secrets

AT_ONCE = 24
PATIENCE_SECONDS = 60
PASSWORD = re.compile(r"password 密码: (\S+)")
LIMITS = {
    "KAMENG_PAY_WITHIN_SECONDS": "12",
    "KAMENG_DELIVER_WITHIN_SECONDS": "60",
    "KAMENG_RESERVE_FOR_SECONDS": "600",
    "KAMENG_ANSWER_WITHIN_SECONDS": "60",
}
Report = Callable[[str, int, int], None]
Serve = Callable[[Path, dict[str, str], int], AbstractContextManager[str]]


@dataclass
class Ran:
    """The result of a run. `outcomes` counts the outcomes of each path; times are in seconds."""

    imports: dict[str, Answer]
    password: str
    outcomes: Counter[tuple[str, str]] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    processor_seconds: dict[str, float] = field(default_factory=dict)


def free_port() -> int:
    """A port of this machine that nobody listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


@contextmanager
def served(var: Path, environment: dict[str, str], port: int) -> Iterator[str]:
    """`kameng serve` in a process of its own. Yields what it printed until it answered, and ends it at the end."""
    output = var / "serve.log"
    command = [sys.executable, "-m", "cli", "serve", "--var", str(var), "--port", str(port)]
    with output.open("w") as log:
        server = subprocess.Popen(  # noqa: S603 - our own command
            command, stdout=log, stderr=subprocess.STDOUT, env={**os.environ, **environment, "COLUMNS": "200"}
        )
    try:
        asyncio.run(_answering(f"http://127.0.0.1:{port}", server, output))
        yield output.read_text()
    finally:
        server.send_signal(signal.SIGTERM)
        try:
            server.wait(timeout=30)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


async def _answering(address: str, server: subprocess.Popen[bytes], output: Path) -> None:
    async with httpx.AsyncClient(base_url=address) as client:

        async def look() -> Answer | None:
            if server.poll() is not None:
                raise Unexpected(f"the server ended, see {output}")
            try:
                response = await client.get("/readyz")
            except httpx.TransportError:
                return None
            return {} if response.is_success else None

        await until("the server to answer", look, PATIENCE_SECONDS)


def run_demo(
    var: Path,
    orders: int,
    customers: int,
    seed: int,
    report: Report,
    serve: Serve | None = None,
    opening: Callable[[], object] = lambda: None,
) -> Ran:
    """Run the whole demo in a new folder. Raises Unexpected when an outcome is not the expected one.

    `serve(var, environment, port)` is a context in which the platform answers on that port; it yields what the platform
    printed. By default it is one `kameng serve`. `opening` is called when the first order is about to be placed.
    """
    serve = serve or served
    if var.exists():
        if any(var.iterdir()) and not any((var / made).exists() for made in ("serve.log", "logs")):
            raise Unexpected(f"{var} holds other data; give a new folder with --var")
        shutil.rmtree(var)
    var.mkdir(parents=True)
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    with run_sandboxes(Secrets(var / "secrets"), address) as sandboxes:
        environment = {
            **LIMITS,
            "KAMENG_PUBLIC_URL": address,
            "KAMENG_SUPPLIERS": json.dumps(
                {name: {"url": sandboxes[name], "timeout_seconds": 1} for name in SUPPLIERS}
            ),
            "KAMENG_CHANNELS": json.dumps({CHANNEL: {"url": sandboxes[CHANNEL]}}),
        }
        # The first supplier fails unless a target says otherwise, so that the second one has to deliver.
        answer_of(httpx.put(f"{sandboxes[SUPPLIERS[0]]}/behaviour", json={"behaviour": "failing"}))
        with serve(var, environment, port) as printed:
            found = PASSWORD.search(printed)
            if found is None:
                raise Unexpected("the server showed no administrator's password")
            ran = Ran({}, found.group(1))
            planned = plan(orders, customers, seed)
            asyncio.run(_live(ran, address, sandboxes[CHANNEL], planned, customers, report, opening))
    return ran


async def _live(
    ran: Ran,
    address: str,
    channel: str,
    planned: Sequence[Planned],
    customers: int,
    report: Report,
    opening: Callable[[], object],
) -> None:
    async with market(address, channel, ran.password, customers, len(planned), report) as (people, reports):
        ran.imports = reports
        opening()
        await _orders(ran, people, planned, report)
        report("waiting for the last events", 0, 0)
        await until("every order to end", lambda: _all_ended(people))


async def _orders(ran: Ran, people: DemoMarket, planned: Sequence[Planned], report: Report) -> None:
    paths, free, done = Paths(people), asyncio.Semaphore(AT_ONCE), 0
    waiting = {"unpaid", "paid-late"}

    async def one(item: Planned) -> None:
        nonlocal done
        try:
            if item.path in waiting:  # it mostly waits, and must not keep others from ordering
                outcome = await paths.take(item)
            else:
                async with free:
                    outcome = await paths.take(item)
            ran.outcomes[item.path, outcome] += 1
        except (Unexpected, httpx.HTTPError) as error:
            ran.failures.append(f"{item.path}: {type(error).__name__} {error}")
        done += 1
        report("orders", done, len(planned))

    await asyncio.gather(*map(one, planned))


async def _all_ended(people: DemoMarket) -> Answer | None:
    """Whether no order is under way and no service is behind."""
    for status in ("placed", "paid", "delivering"):
        page = answer_of(await people.support.get("/v1/orders", params={"status": status, "limit": "1"}))
        if page["items"]:
            return None
    health = answer_of(await people.support.get("/readyz"))
    behind = any(health["lag"].values())
    return None if behind else health
