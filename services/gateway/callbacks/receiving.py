"""Signed callbacks of payment channels and suppliers."""

from __future__ import annotations

import hmac
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from typing import Annotated, Generic, TypeVar

from fastapi import Header, Request
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

Timestamp = Annotated[str, Header(alias=TIMESTAMP_HEADER)]
Signature = Annotated[str, Header(alias=SIGNATURE_HEADER)]
LONGEST_TIMESTAMP = 12
# When a partner with too many unread statements should try again.
AGAIN_AFTER_SECONDS = 600
C = TypeVar("C", bound=Value)


@dataclass(frozen=True)
class ReceivedCallback(Generic[C]):
    """The content of a callback, and whether its signature is valid and its timestamp recent."""

    content: C
    authentic: bool


def bad_signature() -> Problem:
    return Problem(401, "bad-signature", "the signature is not valid, or the timestamp is not of the last minutes")


@dataclass(frozen=True)
class Partner:
    """A channel or supplier that calls back."""

    kind: PartnerKind
    name: str

    @property
    def secret(self) -> str:
        """The name of the secret that the partner signs with."""
        return f"{self.kind}-{self.name}"

    @property
    def principal(self) -> Principal:
        """The principal of a callback with a valid signature."""
        return Principal(self.kind, self.name)


def _limit_wrong_signatures(context: ApiContext, ip: str) -> None:
    """Counts a wrong signature from an address. Raises Problem (429) beyond the limit."""
    slow_down(context.wrong_signatures, ip)
    context.wrong_signatures.tried(ip)


async def receive(
    context: ApiContext, request: Request, ip: str, partner: Partner, timestamp: str, signature: str, model: type[C]
) -> ReceivedCallback[C]:
    """Read a callback as `model`, and check its signature.

    Raises Problem: 401 when the signature is wrong and the body can't be read; 429 when the address sent too many wrong
    signatures; 422 when the signature is valid but the body can't be read or repeats a member. The last is recorded for
    a person.
    """
    body = await request.body()
    authentic = (
        timestamp.isdecimal()
        and timestamp.isascii()
        and len(timestamp) <= LONGEST_TIMESTAMP
        and verify(
            context.backend.secrets.get(partner.secret), int(timestamp), body, signature, context.backend.clock.now()
        )
    )
    if not authentic:
        _limit_wrong_signatures(context, ip)
    try:
        content = read_as(model, body)
    except ValidationError as error:
        if not authentic:
            raise bad_signature() from None
        errors = error.errors(include_input=False, include_url=False, include_context=False)
        await record_unread(context, partner, body, faults_of(errors))
        raise invalid(errors) from None
    except (SaidTwice, NoJson) as error:
        if not authentic:
            raise bad_signature() from None
        await record_unread(context, partner, body, [str(error)])
        raise unread(error) from None
    return ReceivedCallback(content, authentic)


async def record_unread(context: ApiContext, partner: Partner, body: bytes, faults: Iterable[str]) -> None:
    """Record that a partner sent a signed body that can't be read, so that a person finds out what it was. The body is
    not kept. Raises Problem (429) while too many of the partner's statements wait."""
    key = context.backend.secrets.get("blind-index")
    message = f"kameng unread statement 1\n{partner.kind}\n{partner.name}\n".encode() + body
    command = RecordUnread(
        statement_id=hmac.new(key, message, sha256).hexdigest()[:32],
        kind=partner.kind,
        partner=partner.name,
        faults=tuple(faults),
        scraps=scraps_of(partner.kind, body),
        size=len(body),
    )
    reply = await context.send(command, partner.principal, context.backend.ids.new_id())
    if reply.answer.get("outcome") == "too-many":
        detail = "too many of your callbacks could not be read, and wait for staff; this one was not recorded"
        raise too_many(AGAIN_AFTER_SECONDS, "too-many-unread", detail)
