"""What every route uses: sending commands, and querying the read models."""

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
_ASK_AGAIN = "the same request with the same Idempotency-Key returns the outcome"


def derived_id(*parts: str) -> str:
    """The id of the entity that these parts name. The same parts give the same id."""
    return str(uuid5(_ENTITIES, "\n".join(parts)))


@dataclass(frozen=True)
class ApiContext:
    """What routes share; one for each application.

    Database work runs in threads, so that the event loop never waits for it. `hashing` bounds how many passwords are
    hashed at once for known callers, `strangers` for unknown ones, and `registering` for new customers, so that none of
    them waits for the others. `pages` bounds how many large answers are made at once.
    """

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
        """Today's date in the shop's time zone."""
        return day_of(self.backend.clock.now(), self.backend.settings.shop().zone)

    def command_id(self, principal: Principal, request: Request, key: str | None) -> str:
        """A command's id: the same for the same caller, route and Idempotency-Key, a new one without a key."""
        if key is None:
            return self.backend.ids.new_id()
        return str(uuid5(_COMMANDS, "\n".join((principal.actor, request.method, request.url.path, key))))

    def proof_of(self, secret: str, command_id: str) -> str:
        """A keyed hash of a secret in a request, for the fingerprint of its command.

        Two requests with the same Idempotency-Key are the same only if their secrets are. The hash of one secret
        differs between commands.
        """
        message = f"kameng request proof 1\n{command_id}\n{secret}"
        return hmac.new(self.backend.secrets.get("tokens"), message.encode(errors="replace"), sha256).hexdigest()

    async def send(
        self,
        command: Command,
        principal: Principal,
        command_id: str,
        *,
        flow: str | None = None,
        wait: bool = True,
    ) -> Reply:
        """Send a command, and, unless `wait` is False, wait a while until the read models show what it changed.

        `flow` is the correlation id; the command's own id when None. Raises Problem when the reply is not `accepted`,
        and with 503 or 504 when the outcome is unknown."""
        meta = Metadata(correlation_id=flow or command_id, causation_id=command_id, actor=principal.actor)
        with sending(command, meta) as traced:
            message = CommandMessage(command_id, command, traced)
            reply = await self._reply(self.backend.send(command.owner, message))
        if reply.outcome != "accepted":
            raise of_reply(reply)
        if wait:
            await self.backend.wait_for_position(reply.source, reply.position)
        return reply

    async def _reply(self, reply: Awaitable[Reply]) -> Reply:
        try:
            return await reply
        except Busy:
            raise Problem(
                503,
                "too-busy",
                "too many requests are under way; nothing was done, send the same again",
                headers={"Retry-After": "1"},
            ) from None
        except NobodyDecides as error:
            raise Unknown(503, HALTED, f"{error}; {_ASK_AGAIN}", headers={"Retry-After": "5"}) from None
        except TimeoutError:
            raise Unknown(504, "outcome-unknown", f"no answer came in time; {_ASK_AGAIN}") from None

    async def absent(self, caller: Principal, source: str, what: str) -> Problem:
        """The problem for something that the read models do not hold: 404 when they have caught up with the log of
        `source`, else 503. Guests always get 404: for them nothing is compared.
        """
        if caller.kind == "guest" or await self.backend.caught_up(source):
            return not_found(what)
        return not_shown_yet(what)

    async def found(self, lookup: BatchedQuery, key: str) -> Row | None:
        """The first row with this key, None if there is none. Do not change the row."""
        rows = await self.reading.find(lookup, key)
        return rows[0] if rows else None

    async def rows(self, statement: sa.Select[*tuple[Any, ...]]) -> Sequence[Row]:
        return await run_sync(self.reading.read, statement)

    async def in_page_thread(self, function: Callable[..., T], *arguments: Any) -> T:
        """Call a function in one of the threads for large answers."""
        return await run_sync(function, *arguments, limiter=self.pages)

    async def row(self, statement: sa.Select[*tuple[Any, ...]]) -> Row | None:
        found = await self.rows(statement)
        return found[0] if found else None
