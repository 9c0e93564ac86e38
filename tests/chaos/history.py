"""What was asked of the platform, and what became of each request: ok, failed or unknown."""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, TextIO, TypeAlias

import httpx

from demo.shop import Answer

Outcome: TypeAlias = Literal["ok", "failed", "unknown"]
PAUSES_SECONDS = (0.2, 0.5, 1.0)


@dataclass(frozen=True, slots=True)
class Attempt:
    """A request was sent at `began` (monotonic) and took `seconds`. `status` is 0 without an answer; `code` says why
    it is not ok; `answer` is what it is about: an order, a refund."""

    kind: str
    key: str
    began: float
    seconds: float
    status: int
    outcome: Outcome
    code: str = ""
    answer: str = ""


@dataclass(eq=False)
class Request:
    """Something to be done at most once: whatever carries the same key and body again must do nothing more.

    `who` is who sends it: their keys are their own. `expected` are the refusals that may be right.
    """

    kind: str
    who: str
    http: httpx.AsyncClient
    path: str
    body: Mapping[str, Any]
    key: str
    named: str = "order_id"
    headers: Mapping[str, str] = field(default_factory=dict)
    expected: tuple[str, ...] = ()
    attempts: list[Attempt] = field(default_factory=list)
    secret: str = ""

    @property
    def outcome(self) -> Outcome:
        return self.last.outcome

    @property
    def last(self) -> Attempt:
        """The last attempt that was answered, or else the last one."""
        known = [attempt for attempt in self.attempts if attempt.outcome != "unknown"]
        return (known or self.attempts)[-1]

    @property
    def fingerprint(self) -> str:
        return hashlib.sha256(json.dumps(self.body, sort_keys=True).encode()).hexdigest()


class History:
    """Every request and every attempt; each attempt is a line of JSON in `file` at once."""

    def __init__(self, file: TextIO) -> None:
        self.requests: list[Request] = []
        self.attempts: list[Attempt] = []
        self.began = time.monotonic()
        self._file = file

    async def ask(self, request: Request, pauses: tuple[float, ...] = PAUSES_SECONDS) -> Answer | None:
        """Send a request, again after each pause while its outcome is unknown. What it was answered if it is ok."""
        if request not in self.requests:
            self.requests.append(request)
        for pause in (*pauses, None):
            attempt, answer = await self._send(request)
            request.attempts.append(attempt)
            if attempt.outcome == "ok":
                request.secret = (answer or {}).get("secret", request.secret)
                return answer
            if attempt.outcome == "failed" or pause is None:
                return None
            await asyncio.sleep(pause)
        return None

    async def _send(self, request: Request) -> tuple[Attempt, Answer | None]:
        headers = {**request.headers, "Idempotency-Key": request.key}
        sending = request.http.post(request.path, json=request.body, headers=headers)
        return await self._attempt(
            request.kind, request.key, sending, lambda answer: str(answer.get(request.named, ""))
        )

    async def read(self, http: httpx.AsyncClient, path: str, secret: str) -> Answer | None:
        """Ask for something. None when it is not answered or not shown."""
        _, answer = await self._attempt("read", path, http.get(path, headers={"Order-Secret": secret}))
        return answer

    async def _attempt(
        self, kind: str, key: str, sending: Any, name: Callable[[Answer], str] = lambda answer: ""
    ) -> tuple[Attempt, Answer | None]:
        began = time.monotonic()
        answer: Answer | None = None
        try:
            response = await sending
        except httpx.TransportError as error:
            attempt = Attempt(kind, key, began, time.monotonic() - began, 0, "unknown", type(error).__name__)
        else:
            seconds, body = time.monotonic() - began, response.json()
            if response.is_success:
                answer = body
                attempt = Attempt(kind, key, began, seconds, response.status_code, "ok", answer=name(body))
            else:
                outcome = "unknown" if response.status_code >= 500 else "failed"
                attempt = Attempt(kind, key, began, seconds, response.status_code, outcome, body.get("code", ""))
        self._note(attempt)
        return attempt, answer

    def _note(self, attempt: Attempt) -> None:
        self.attempts.append(attempt)
        shown = {**asdict(attempt), "began": round(attempt.began - self.began, 3), "seconds": round(attempt.seconds, 4)}
        self._file.write(json.dumps(shown) + "\n")

    def unknown(self) -> list[Request]:
        """Requests of which nobody knows what became of them."""
        return [request for request in self.requests if request.outcome == "unknown"]

    def outcomes(self) -> Counter[Outcome]:
        """How many attempts ended so."""
        return Counter(attempt.outcome for attempt in self.attempts)
