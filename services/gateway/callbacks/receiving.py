"""Signed callbacks of payment channels and suppliers."""

from __future__ import annotations

import hmac
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from typing import Generic, TypeVar

from fastapi import Request
from pydantic import ValidationError

from services.gateway.access.auth import Principal
from services.gateway.callbacks.scraps import faults_of, scraps_of
from services.gateway.http.context import ApiContext
from services.gateway.http.depends import slow_down, too_many
from services.gateway.http.parsing import unread
from services.gateway.http.problems import Problem, invalid
from shared.contracts import Value
from shared.contracts.gateway import PartnerKind, RecordUnread
from shared.security.signing import SIGNATURE_HEADER, TIMESTAMP_HEADER, verify
from shared.values.json_text import NoJson, SaidTwice, read_as

__all__ = ["SIGNATURE_HEADER", "TIMESTAMP_HEADER", "Partner", "Told", "forged", "keep_unread", "receive"]
LONGEST_TIMESTAMP = 12
# When a partner whose statements nobody has seen to is to try again.
AGAIN_AFTER_SECONDS = 600
C = TypeVar("C", bound=Value)


@dataclass(frozen=True)
class Told(Generic[C]):
    """What came in, and whether its signature held and its time was fresh."""

    content: C
    authentic: bool


def forged() -> Problem:
    return Problem(401, "bad-signature", "the signature does not fit, or is not of the last minutes")


@dataclass(frozen=True)
class Partner:
    """A channel or supplier that calls back."""

    kind: PartnerKind
    name: str

    @property
    def secret(self) -> str:
        """The name of the secret it signs with."""
        return f"{self.kind}-{self.name}"

    @property
    def principal(self) -> Principal:
        """Who it is once its signature held."""
        return Principal(self.kind, self.name)


def _slow_forgers(context: ApiContext, ip: str) -> None:
    """Wrong signatures are recorded, but not without end. Raises Problem (429)."""
    slow_down(context.wrong_signatures, ip)
    context.wrong_signatures.tried(ip)


async def receive(
    context: ApiContext, request: Request, ip: str, who: Partner, timestamp: str, signature: str, kind: type[C]
) -> Told[C]:
    """Read and check a callback of `who`, if it is. Raises Problem: 401 for a forged one that can't be read, 429 for
    who forged too many, readable or not; 422 for a true one that can't be read or says something twice, which is
    recorded for a person."""
    body = await request.body()
    authentic = (
        timestamp.isdecimal()
        and timestamp.isascii()
        and len(timestamp) <= LONGEST_TIMESTAMP
        and verify(
            context.backend.secrets.get(who.secret), int(timestamp), body, signature, context.backend.clock.now()
        )
    )
    if not authentic:
        _slow_forgers(context, ip)
    try:
        content = read_as(kind, body)
    except ValidationError as error:
        if not authentic:
            raise forged() from None
        errors = error.errors(include_input=False, include_url=False, include_context=False)
        await keep_unread(context, who, body, faults_of(errors))
        raise invalid(errors) from None
    except (SaidTwice, NoJson) as error:
        if not authentic:
            raise forged() from None
        await keep_unread(context, who, body, [str(error)])
        raise unread(error) from None
    return Told(content, authentic)


async def keep_unread(context: ApiContext, who: Partner, body: bytes, faults: Iterable[str]) -> None:
    """Record that a partner told, signed, what can't be read, for a person to find out what. Its body is not kept.
    Raises Problem (429) while too many of its statements wait."""
    key = context.backend.secrets.get("blind-index")
    told = f"kameng unread statement 1\n{who.kind}\n{who.name}\n".encode() + body
    command = RecordUnread(
        statement_id=hmac.new(key, told, sha256).hexdigest()[:32],
        kind=who.kind,
        partner=who.name,
        faults=tuple(faults),
        scraps=scraps_of(who.kind, body),
        size=len(body),
    )
    reply = await context.send(command, who.principal, context.backend.ids.new_id())
    if reply.answer.get("outcome") == "too-many":
        detail = "too many of your callbacks can't be read, and staff have not seen to them; this one was not recorded"
        raise too_many(AGAIN_AFTER_SECONDS, "too-many-unread", detail)
