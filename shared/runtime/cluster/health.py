"""Serves a writer's `/healthz`, `/readyz` and `/metrics` through nameko."""

from __future__ import annotations

from pathlib import Path
from socket import socket
from typing import Any

from eventlet import wsgi
from nameko.containers import ServiceContainer
from nameko.web.handlers import HttpRequestHandler
from nameko.web.server import HttpOnlyProtocol, WebServer

from shared.telemetry.health import HEALTH_FILE, METRICS, Answer, alive, ready, write_address

__all__ = ["HEALTH_FILE", "METRICS", "Answer", "HealthServer", "alive", "http", "ready"]


class HealthServer(WebServer):
    """nameko's web server, which also writes its address to a file if one is configured."""

    container: ServiceContainer

    def get_wsgi_server(
        self, sock: socket, wsgi_app: Any, protocol: type = HttpOnlyProtocol, debug: bool = False
    ) -> wsgi.Server:
        file: Path | None = self.container.config.get(HEALTH_FILE)
        if file is not None:
            write_address(file, *sock.getsockname()[:2])
        return super().get_wsgi_server(sock, wsgi_app, protocol, debug)


class HealthHandler(HttpRequestHandler):
    """A nameko @http on the health server."""

    server = HealthServer()


http = HealthHandler.decorator
