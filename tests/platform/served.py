"""The embedded host as people run it: `kameng serve`, a process that may be killed and started again."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import httpx
import sqlalchemy as sa

from demo import running
from services import all_services
from shared.eventstore.engines import open_engine
from shared.runtime.embedded import database_url
from tests.platform.platform import HttpPlatform
from tests.waiting import PATIENCE


class Served(HttpPlatform):
    """`kameng serve` on one folder and port, with these settings in its environment. It runs from the start."""

    def __init__(self, var: Path, port: int, environment: Mapping[str, str]) -> None:
        super().__init__(var, all_services())
        self.port, self.environment = port, environment
        self.address = f"http://127.0.0.1:{port}"
        self._running, self._before = ExitStack(), ""
        self.start()

    @property
    def pid(self) -> int:
        return json.loads((self.var / "serve.json").read_text())["pid"]

    def start(self) -> None:
        self._before = self.printed()  # the log begins anew
        with patch.object(running, "PATIENCE_SECONDS", PATIENCE):
            self._running.enter_context(running.served(self.var, {**self.environment}, self.port))

    def printed(self) -> str:
        """All that it ever wrote."""
        log = self.var / "serve.log"
        return self._before + (log.read_text() if log.exists() else "")

    def kill(self) -> None:
        """End it as a power cut does."""
        os.kill(self.pid, signal.SIGKILL)
        self.stop()

    def stop(self) -> None:
        self._running.close()

    def request(self, method: str, path: str, **how: Any) -> httpx.Response:
        return httpx.request(method, self.address + path, **{"timeout": PATIENCE, **how})

    @contextmanager
    def database(self, service: str) -> Iterator[sa.Engine]:
        engine = open_engine(database_url(self.var, service), writer=False)
        try:
            yield engine
        finally:
            engine.dispose()
