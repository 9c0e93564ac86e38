"""Signed callbacks of payment channels and suppliers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

from fastapi import Request
from pydantic import ValidationError

from services.gateway.api.depends import slow_down
from services.gateway.api.gate import Gate
from services.gateway.auth import Principal
from services.gateway.problems import Problem, invalid
from shared.contracts import Value
from shared.security.signing import SIGNATURE_HEADER, TIMESTAMP_HEADER, verify

__all__ = ["SIGNATURE_HEADER", "TIMESTAMP_HEADER", "Told", "forged", "partner", "receive", "slow_forgers"]
LONGEST_TIMESTAMP = 12
C = TypeVar("C", bound=Value)


@dataclass(frozen=True)
class Told(Generic[C]):
    """What came in, and whether its signature held and its time was fresh."""

    content: C
    authentic: bool


def forged() -> Problem:
    return Problem(401, "bad-signature", "the signature does not fit, or is not of the last minutes")


def partner(kind: Literal["channel", "supplier"], name: str) -> Principal:
    """A channel or supplier whose signature held."""
    return Principal(kind, name)


def slow_forgers(gate: Gate, ip: str) -> None:
    """Wrong signatures are recorded, but not without end. Raises Problem (429)."""
    slow_down(gate.wrong_signatures, ip)
    gate.wrong_signatures.failed(ip)


async def receive(
    gate: Gate, request: Request, secret_name: str, timestamp: str, signature: str, kind: type[C]
) -> Told[C]:
    """Read and check a callback. Raises Problem: 401 for a forged one that can't be read, 422 for a true one."""
    body = await request.body()
    authentic = (
        timestamp.isdecimal()
        and timestamp.isascii()
        and len(timestamp) <= LONGEST_TIMESTAMP
        and verify(gate.backend.secrets.get(secret_name), int(timestamp), body, signature, gate.backend.ports.now())
    )
    try:
        return Told(kind.model_validate_json(body), authentic)
    except ValidationError as error:
        errors = error.errors(include_input=False, include_url=False, include_context=False)
    raise invalid(errors) if authentic else forged()
