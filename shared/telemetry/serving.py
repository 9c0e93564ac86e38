"""Serves health and metrics over HTTP, on a thread, for a process without another HTTP server."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Self

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import Metric as Family
from prometheus_client.registry import Collector

from shared.telemetry.health import METRICS, Answer, Readiness, alive, ready, write_address
from shared.telemetry.metric import Metric
from shared.telemetry.process import Process


@dataclass(frozen=True, slots=True)
class Reading:
    """A metric of one service, read at each scrape."""

    metric: Metric
    read: Callable[[], float]


class HealthServer:
    """Serves `/healthz`, `/readyz` and `/metrics` of one service's process while it is used as a context manager.

    `process` is its kind, such as log-server. `look` is called at each `/readyz`. Port 0 takes any free port; the
    address is written to `file`. Raises OSError when the port is taken.
    """

    def __init__(
        self,
        service: str,
        process: str,
        look: Callable[[], Readiness],
        readings: Sequence[Reading],
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        file: Path | None = None,
    ) -> None:
        registry = CollectorRegistry()
        registry.register(Readings(service, readings))
        registry.register(Process(service, process))
        self._pages: dict[str, Callable[[], Answer]] = {
            "/healthz": lambda: alive(True),
            "/readyz": lambda: ready(look()),
            "/metrics": lambda: (200, METRICS, generate_latest(registry).decode()),
        }
        self._server = ThreadingHTTPServer((host, port), partial(_Handler, self._pages))
        self._server.daemon_threads = True
        self._thread = Thread(target=self._server.serve_forever, name="health", daemon=True)
        self._file = file

    @property
    def port(self) -> int:
        """The port taken."""
        return self._server.server_port

    def __enter__(self) -> Self:
        self._thread.start()
        if self._file is not None:
            write_address(self._file, *self._server.socket.getsockname()[:2])
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    timeout = 10

    def __init__(self, pages: dict[str, Callable[[], Answer]], *arguments: object) -> None:
        self._pages = pages
        super().__init__(*arguments)  # pyright: ignore[reportArgumentType] - as the server gives them

    def do_GET(self) -> None:
        page = self._pages.get(self.path.partition("?")[0])
        if page is None:
            self.send_error(404)
            return
        status, headers, text = page()
        body = text.encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *_: object) -> None:
        """Log nothing: probes come every few seconds."""


class Readings(Collector):
    """Readings of one service's process, for a registry."""

    def __init__(self, service: str, readings: Sequence[Reading]) -> None:
        self._service, self._readings = service, readings

    def collect(self) -> Iterable[Family]:
        for one in self._readings:
            yield one.metric.family({(self._service,): one.read()})

    def describe(self) -> Iterable[Family]:
        return ()
