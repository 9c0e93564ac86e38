"""The peer: stock nameko, with the same load over HTTP (nameko's own) as the platform gets."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

from demo.running import free_port
from deploy.local.infrastructure import Infrastructure
from tests.bench.contest import Contestant, Sold
from tests.bench.load import Plan, generate
from tests.bench.measures import spent
from tests.bench.peers.flow import SERVICES, database
from tests.bench.processes import Processes, databases_of, new_database, started

MODULE = "tests.bench.peers.nameko_saga"
PEER, READY_SECONDS, WORKERS = "nameko", 180, 50
TABLES = """
create table log(position bigserial primary key, stream text, version int, type text, data jsonb, meta jsonb,
    at timestamptz default now(), unique(stream, version));
create table state(id text primary key, version int, status text, answers int default 0);
"""
SHOWN = "create table shown(id text primary key, status text, key text, events int);"
CLASSES: Mapping[str, str] = {
    **{service: f"{service.title()}Service" for service in SERVICES},
    "web": "WebService",
}


@contextmanager
def nameko(servers: Infrastructure, var: Path, share: float = 1.0) -> Iterator[Contestant]:
    """Eight nameko processes, one a service and one for HTTP, ready for orders."""
    for service in SERVICES:
        new_database(servers, database(service, PEER), TABLES + (SHOWN if service == "gateway" else ""))
    databases = databases_of(servers, PEER)
    environment = {"DATABASES": databases, "PSYCOPG_WAIT_FUNC": "wait_selector", "PYTHONPATH": str(Path.cwd())}
    port = free_port()
    with started(_commands(servers, var, port), environment, servers, var / "logs") as processes:
        plan = Plan("127.0.0.1", port, [f"customer-{number}" for number in range(20)], ["CARD"], 1, 1)
        _await_first_order(processes, port)

        def sell(orders: int, callers: int) -> Sold:
            before = processes.processor_seconds()
            report = generate(Plan(plan.host, plan.port, plan.tokens, plan.skus, orders, callers))
            return Sold(report, spent(before, processes.processor_seconds()))

        yield Contestant("stock nameko", sell, share)


def _commands(servers: Infrastructure, var: Path, port: int) -> dict[str, list[str]]:
    var.mkdir(parents=True, exist_ok=True)
    config = var / "nameko.json"  # JSON is YAML
    settings = {"AMQP_URI": servers.amqp_url, "WEB_SERVER_ADDRESS": f"127.0.0.1:{port}", "max_workers": WORKERS}
    config.touch(mode=0o600)
    config.write_text(json.dumps(settings))
    program = str(Path(sys.executable).with_name("nameko"))
    return {name: [program, "run", "--config", str(config), f"{MODULE}:{cls}"] for name, cls in CLASSES.items()}


def _await_first_order(processes: Processes, port: int) -> None:
    """The services take their time to bind their queues: an order that goes through shows that they have."""
    plan = Plan("127.0.0.1", port, ["customer"], ["CARD"], 1, 1)
    address = f"http://127.0.0.1:{port}/v1/orders/none"
    unready = (httpx.TransportError, RuntimeError, AssertionError)
    for attempt in Retrying(
        retry=retry_if_exception_type(unready), stop=stop_after_delay(READY_SECONDS), wait=wait_fixed(1), reraise=True
    ):
        with attempt:
            processes.check()
            assert httpx.get(address).is_success
    generate(plan)
