"""What a run ran on."""

from __future__ import annotations

import os
import platform
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

import psycopg
from kombu.connection import Connection

from deploy.local.infrastructure import Infrastructure
from tests.bench.measures import Row, median

PAGE = bytes(8192)
COMMITS = 100


def described(servers: Infrastructure, folder: Path) -> Row:
    """Processor, memory, disk and versions; `folder` is on the disk that the databases use."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count() or 0,
        "memory GB": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1),
        "kernel": platform.release(),
        "commit ms (fsync of 8 KB)": round(commit_milliseconds(folder), 3),
        "PostgreSQL": _postgresql(servers.postgres_url),
        "RabbitMQ": _rabbitmq(servers.amqp_url),
        "Python": platform.python_version(),
        "nameko": version("nameko"),
        "eventsourcing": version("eventsourcing"),
    }


def commit_milliseconds(folder: Path) -> float:
    """The median time to append 8 KB to a file and have it on the disk."""
    took = []
    with tempfile.NamedTemporaryFile(dir=folder) as file:
        for _ in range(COMMITS):
            started = time.perf_counter()
            file.write(PAGE)
            file.flush()
            os.fsync(file.fileno())
            took.append(time.perf_counter() - started)
    return median(took) * 1e3


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _postgresql(url: str) -> str:
    with psycopg.connect(url.replace("+psycopg", "", 1)) as connection:
        return connection.info.parameter_status("server_version") or ""


def _rabbitmq(url: str) -> str:
    with Connection(url) as client:
        connection = client.transport.establish_connection()
        try:
            return str(connection.server_properties["version"])
        finally:
            connection.close()
