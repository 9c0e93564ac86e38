"""What every route works with: the commands' way out and the read models."""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import date
from hashlib import sha256
from typing import Any, TypeVar
from uuid import UUID, uuid5

import sqlalchemy as sa
from anyio import CapacityLimiter
from anyio.to_thread import run_sync
from fastapi import Request

from services.gateway.access.auth import Principal
from services.gateway.access.credentials import Credentials
from services.gateway.access.guessing import Guessing
from services.gateway.access.places import Places
from services.gateway.access.throttle import Throttle
from services.gateway.http.problems import Problem, Unknown, not_found, not_shown_yet, of_reply
from services.gateway.orders.long_poll import LongPoll
from shared.contracts import Command, Metadata
from shared.messages.messages import HALTED, CommandMessage, NobodyDecides, Reply
from shared.readside.backend import Backend, Busy
from shared.readside.batched_query import BatchedQuery, QueryRunner, Row
from shared.telemetry.tracing import sending
from shared.values.days import day_of

T = TypeVar("T")
_COMMANDS = UUID("0b5c4a3e-6b0e-5d0b-9d8e-2f4c8a1b7e60")
_ENTITIES = UUID("7f1f0f0a-8f39-5a57-8a34-3a3a8c0b5d11")
_ASK_AGAIN = "the same request with the same Idempotency-Key finds out what became of it"


def derived_id(*parts: str) -> str:
    """The id of an entity that these parts name: always the same one."""
    return str(uuid5(_ENTITIES, "\n".join(parts)))


@dataclass(frozen=True)
class ApiContext:
    """One an application. Database work runs in threads, so that the loop never waits for it; `hashing` bounds the
    memory and time that passwords cost, `strangers` those of people and places that we do not know, and `registering`
    those of new ones, so that none waits for the others;
    `pages` those of large answers."""

    backend: Backend
    reading: QueryRunner
    watch: LongPoll
    credentials: Credentials
    hashing: Places
    strangers: Places
    registering: Places
    pages: CapacityLimiter
    guessing: Guessing
    registered: Throttle
    all_registered: Throttle
    wrong_secrets: Throttle
    wrong_secrets_of_place: Throttle
    wrong_signatures: Throttle
    deposits: Throttle
    is_own_site: Callable[[str], bool]

    def today(self) -> date:
        """The day it is in the shop."""
        return day_of(self.backend.clock.now(), self.backend.settings.shop().zone)

    def command_id(self, principal: Principal, request: Request, key: str | None) -> str:
        """The same for the same caller, route and Idempotency-Key; a new one without a key."""
        if key is None:
            return self.backend.ids.new_id()
        return str(uuid5(_COMMANDS, "\n".join((principal.actor, request.method, request.url.path, key))))

    def proof_of(self, secret: str, command_id: str) -> str:
        """A keyed hash of a secret that a request holds, for the fingerprint of its command: two requests with the same
        Idempotency-Key are the same only where their secrets are. Another command has another hash of the same secret.
        """
        told = f"kameng request proof 1\n{command_id}\n{secret}"
        return hmac.new(self.backend.secrets.get("tokens"), told.encode(errors="replace"), sha256).hexdigest()

    async def send(
        self,
        command: Command,
        principal: Principal,
        command_id: str,
        *,
        flow: str | None = None,
    ) -> Reply:
        """Have a command decided, and wait a while until the read models show what it changed.

        `flow` is the correlation id, the command's own id when None. Raises Problem for every reply but accepted,
        503 or 504 when the outcome is unknown.
        """
        meta = Metadata(correlation_id=flow or command_id, causation_id=command_id, actor=principal.actor)
        with sending(command.type(), command.owner, meta, getattr(command, "order_id", None)) as traced:
            message = CommandMessage(command_id, command, traced)
            reply = await self.outcome(self.backend.send(command.owner, message))
        if reply.outcome != "accepted":
            raise of_reply(reply)
        await self.backend.wait_for_position(reply.source, reply.position)
        return reply

    async def outcome(self, waiting: Awaitable[Reply]) -> Reply:
        try:
            return await waiting
        except Busy:
            raise Problem(
                503,
                "too-busy",
                "too much is under way; nothing was done, send this again",
                headers={"Retry-After": "1"},
            ) from None
        except NobodyDecides as error:
            raise Unknown(503, HALTED, f"{error}; {_ASK_AGAIN}", headers={"Retry-After": "5"}) from None
        except TimeoutError:
            raise Unknown(504, "outcome-unknown", f"no answer came in time; {_ASK_AGAIN}") from None

    async def absent(self, caller: Principal, source: str, what: str) -> Problem:
        """What to tell a caller of something that is not shown: that there is none, once the read models hold all of
        the log it would be in. Guests, who prove with a secret what they may see, do not make us look.
        """
        if caller.kind == "guest" or await self.backend.caught_up(source):
            return not_found(what)
        return not_shown_yet(what)

    async def found(self, lookup: BatchedQuery, key: str) -> Row | None:
        """The first row that has this key. It is not to be changed."""
        rows = await self.reading.find(lookup, key)
        return rows[0] if rows else None

    async def rows(self, statement: sa.Select[*tuple[Any, ...]]) -> Sequence[Row]:
        return await run_sync(self.reading.read, statement)

    async def made(self, make: Callable[..., T], *arguments: Any) -> T:
        """What a function gives, called in one of the threads for large answers."""
        return await run_sync(make, *arguments, limiter=self.pages)

    async def row(self, statement: sa.Select[*tuple[Any, ...]]) -> Row | None:
        found = await self.rows(statement)
        return found[0] if found else None
