"""The HTTP side of a writer: is it alive, is it ready, what does it measure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from socket import socket
from typing import Any

from eventlet import wsgi
from nameko.containers import ServiceContainer
from nameko.web.handlers import HttpRequestHandler
from nameko.web.server import HttpOnlyProtocol, WebServer

from shared.hosting.cluster.writer_process import Readiness

HEALTH_FILE = "KAMENG_HEALTH_FILE"
JSON = {"Content-Type": "application/json"}
METRICS = {"Content-Type": "text/plain; version=0.0.4; charset=utf-8"}
Answer = tuple[int, Mapping[str, str], str]


class HealthServer(WebServer):
    """Writes the address it took to a file, if one is named."""

    container: ServiceContainer

    def get_wsgi_server(
        self, sock: socket, wsgi_app: Any, protocol: type = HttpOnlyProtocol, debug: bool = False
    ) -> wsgi.Server:
        file: Path | None = self.container.config.get(HEALTH_FILE)
        if file is not None:
            host, port = sock.getsockname()[:2]
            draft = file.with_suffix(".draft")
            draft.write_text(f"http://{host}:{port}")
            draft.rename(file)
        return super().get_wsgi_server(sock, wsgi_app, protocol, debug)


class HealthHandler(HttpRequestHandler):
    """A nameko @http on the health server."""

    server = HealthServer()


http = HealthHandler.decorator


def alive(moves: bool) -> Answer:
    """200, or 503 for a process that should be started anew."""
    return 200 if moves else 503, JSON, json.dumps({"alive": moves})


def ready(readiness: Readiness) -> Answer:
    """200, or 503 with the reason in the body."""
    body = {"ready": readiness.ready, **asdict(readiness)}
    return 200 if readiness.ready else 503, JSON, json.dumps(body)
