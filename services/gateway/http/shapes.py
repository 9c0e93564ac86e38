"""The types of fields in requests."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated

from fastapi import Path, Query
from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field

from shared.contracts import Money
from shared.values import currencies, identities
from shared.values.characters import readable

ID = r"^[A-Za-z0-9][A-Za-z0-9._:/#@+-]*$"
PLAIN = r"^[^\x00-\x1f\x7f]*$"


class Body(BaseModel):
    """The JSON body of a request. Unknown members are refused; numbers and texts are not converted."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)


def _readable(text: str) -> str:
    return readable("text", text)


def _readable_or_empty(text: str) -> str:
    return readable("text", text) if text else text


def _name_or_empty(text: str) -> str:
    return identities.name(text) if text else text


def _sku(value: object) -> object:
    return identities.sku(value) if isinstance(value, str) else value


def _email(text: str) -> str:
    return identities.email(text) if text else text


def _login(value: object) -> object:
    return identities.login(value) if isinstance(value, str) else value


Name = Annotated[str, Field(min_length=1, max_length=80, pattern=ID, strict=True)]
Sku = Annotated[str, BeforeValidator(_sku), Field(min_length=1, max_length=80, pattern=ID, strict=True)]
Line = Annotated[str, Field(max_length=200, pattern=PLAIN, strict=True)]
# A name that people see.
ShownName = Annotated[Line, AfterValidator(_name_or_empty)]
# A text from people for people; if it is given, it must be readable.
Note = Annotated[str, Field(max_length=500, pattern=r"^[^\x00]*$", strict=True), AfterValidator(_readable_or_empty)]
Reason = Annotated[
    str, Field(min_length=1, max_length=500, pattern=r"^[^\x00]*$", strict=True), AfterValidator(_readable)
]
_PART = r"[^\s@<>\x00-\x1f\x7f]+"
Email = Annotated[str, Field(max_length=200, pattern=rf"^$|^{_PART}@{_PART}$", strict=True)]
Mailbox = Annotated[Email, AfterValidator(_email)]
Login = Annotated[Line, AfterValidator(identities.login)]
Pieces = Annotated[int, Field(ge=1, le=10_000, strict=True)]
Count = Annotated[int, Field(ge=1, le=2**31 - 1, strict=True)]
Username = Annotated[
    str, BeforeValidator(_login), Field(min_length=1, max_length=60, pattern=r"^[a-z0-9][a-z0-9._-]*$", strict=True)
]


def _utc(at: datetime) -> datetime:
    if not 1970 <= at.year < 9999:  # years at either end have no UTC
        raise ValueError("the year is out of range")
    return at.astimezone(UTC)


def _with_zone(value: object) -> object:
    if isinstance(value, str) and _RFC_3339.fullmatch(value):
        return value
    raise ValueError("a time is a text of RFC 3339 with its zone, such as 2026-03-01T12:00:00+08:00")


# Not a number: pydantic takes numbers, also in texts, for seconds since 1970.
_RFC_3339 = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?([Zz]|[+-][0-9]{2}:[0-9]{2})"
)
When = Annotated[AwareDatetime, BeforeValidator(_with_zone), AfterValidator(_utc)]
PathId = Annotated[str, Path(max_length=80, pattern=ID)]
Word = Annotated[str | None, Query(max_length=80, pattern=PLAIN)]
# Filters of lists, in the canonical form that they are compared in.
CodeFilter = Annotated[str | None, Query(max_length=80), AfterValidator(lambda text: identities.code(text))]
SkuFilter = Annotated[str | None, Query(max_length=80), AfterValidator(lambda text: identities.sku(text))]


Currency = Annotated[
    str, Field(pattern=r"^[A-Z]{3}$", strict=True, description="ISO 4217."), AfterValidator(currencies.known)
]


class Amount(Body):
    """A positive amount in minor units: fen, cents, whole yen."""

    amount: Annotated[int, Field(ge=1, le=10**13, strict=True)]
    currency: Currency = "CNY"

    def money(self) -> Money:
        return Money(amount=self.amount, currency=self.currency)
