"""The words that requests are made of. Nothing is taken that a request does not name."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from fastapi import Path, Query
from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

from shared.contracts import Money

ID = r"^[A-Za-z0-9][A-Za-z0-9._:/#@+-]*$"
PLAIN = r"^[^\x00-\x1f\x7f]*$"


class Body(BaseModel):
    """A request's JSON: unknown members are refused, numbers and texts are not turned into one another."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)


Name = Annotated[str, Field(min_length=1, max_length=80, pattern=ID, strict=True)]
Line = Annotated[str, Field(max_length=200, pattern=PLAIN, strict=True)]
Note = Annotated[str, Field(max_length=500, pattern=r"^[^\x00]*$", strict=True)]
Reason = Annotated[str, Field(min_length=1, max_length=500, pattern=r"^[^\x00]*$", strict=True)]
_PART = r"[^\s@<>\x00-\x1f\x7f]+"
Email = Annotated[str, Field(max_length=200, pattern=rf"^$|^{_PART}@{_PART}$", strict=True)]
Pieces = Annotated[int, Field(ge=1, le=10_000, strict=True)]
Count = Annotated[int, Field(ge=1, le=2**31 - 1, strict=True)]
Username = Annotated[str, Field(min_length=1, max_length=60, pattern=r"^[a-z0-9][a-z0-9._-]*$", strict=True)]


def _utc(at: datetime) -> datetime:
    if not 1970 <= at.year < 9999:  # years at either end have no UTC
        raise ValueError("the year is out of range")
    return at.astimezone(UTC)


When = Annotated[AwareDatetime, AfterValidator(_utc)]
PathId = Annotated[str, Path(max_length=80, pattern=ID)]
Word = Annotated[str | None, Query(max_length=80, pattern=PLAIN)]


class Amount(Body):
    """More than nothing, in minor units (fen, cents)."""

    amount: Annotated[int, Field(ge=1, le=10**13, strict=True)]
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$", strict=True)] = "CNY"

    def money(self) -> Money:
        return Money(amount=self.amount, currency=self.currency)
