"""A receiver of webhooks: a real HTTP server that keeps the requests it gets and answers as a test asks."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Event, Lock
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.concurrency import run_in_threadpool
from standardwebhooks import Webhook

from sandboxes.running import run_server
from tests.waiting import PATIENCE


@dataclass(frozen=True)
class ReceivedRequest:
    """One request, as it came."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def event(self) -> dict[str, Any]:
        return json.loads(self.body)

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def key(self) -> str:
        return self.event["partitionkey"]

    def verified(self, secret: str) -> dict[str, Any]:
        """The event, as a receiver gets it. Raises WebhookVerificationError."""
        return Webhook(secret).verify(self.body, self.headers)


Answers = Callable[[ReceivedRequest], int]


@dataclass
class Receiver:
    """`answers` gives the status for a path's requests; those at `stuck` paths wait until `release` is set."""

    address: str = ""
    requests: list[ReceivedRequest] = field(default_factory=list)
    answers: dict[str, Answers] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    stuck: set[str] = field(default_factory=set)
    release: Event = field(default_factory=Event)
    lock: Lock = field(default_factory=Lock)

    def url(self, path: str) -> str:
        return f"{self.address}/{path}"

    def at(self, path: str) -> list[ReceivedRequest]:
        with self.lock:
            return [one for one in self.requests if one.path == f"/{path}"]

    def keys(self, path: str) -> list[str]:
        return [one.key for one in self.at(path)]


@contextmanager
def receiving() -> Iterator[Receiver]:
    receiver, app = Receiver(), FastAPI()

    @app.post("/{path:path}")
    async def post(path: str, request: Request) -> Response:
        one = ReceivedRequest(request.url.path, dict(request.headers), await request.body())
        with receiver.lock:
            receiver.requests.append(one)
        if path in receiver.stuck:
            await run_in_threadpool(receiver.release.wait, PATIENCE)
        status = receiver.answers.get(path, lambda _: 204)(one)
        text = b"" if status == 204 else b"as a test asked"
        return Response(text, status, headers=receiver.headers)

    with run_server(app, "receiver") as address:
        receiver.address = address
        yield receiver
        receiver.release.set()
