"""The embedded host in threads of this process: every service, and its HTTP side without a socket."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import cached_property
from typing import Any

import httpx
import sqlalchemy as sa

from services import all_services
from services.gateway.http.app import create_app
from shared.contracts import Command, Metadata
from shared.messages.messages import CommandMessage, Reply
from shared.runtime.clock import Clock
from shared.runtime.embedded import Embedded
from shared.runtime.settings import Settings
from tests.gateway.builders import Client
from tests.platform.platform import HttpPlatform
from tests.waiting import PATIENCE, wait_for


class EmbeddedPlatform(HttpPlatform):
    """Runs from the start; `host` is what runs."""

    def __init__(self, settings: Settings, clock: Clock | None = None) -> None:
        super().__init__(settings.var, all_services())
        self.host = Embedded(self.services, settings, reader="gateway", clock=clock)
        self.host.start()

    @cached_property
    def client(self) -> Client:
        """Somebody at the HTTP side."""
        return Client(create_app(self.host))

    @property
    def now(self) -> datetime:
        return self.host.clock.now()

    def request(self, method: str, path: str, **how: Any) -> httpx.Response:
        return self.client.request(method, path, **how)

    def send(self, command: Command, *, actor: str = "system:test") -> Reply:
        """Have a command accepted. Returns when the read models show what came of it."""
        id_ = self.host.ids.new_id()
        message = CommandMessage(id_, command, Metadata(correlation_id=id_, causation_id=id_, actor=actor))
        reply = self.host.network.ask(command.owner, message).result(PATIENCE)
        assert reply.outcome == "accepted", reply
        shown = self.host.wait_for_position
        wait_for(lambda: asyncio.run(shown(reply.source, reply.position)), "the read models to show it")
        return reply

    def settle(self) -> None:
        """Wait until nothing is under way. Asks twice: a message may be between two services at the first look."""
        wait_for(lambda: self.host.settled() and self.host.settled(), "rest")

    @contextmanager
    def database(self, service: str) -> Iterator[sa.Engine]:
        yield self.host.reading[service]

    def stop(self) -> None:
        self.host.stop()
