"""Client of a payment channel's HTTP API.

The signature of a request covers its method, path and body, so that nobody can send it to another address or use it as
a callback."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal, TypeVar
from urllib.parse import quote, urlsplit

import httpx
from pydantic import BaseModel, Field, ValidationError

from shared.contracts import Money
from shared.contracts.base import MAX_MINOR_UNITS
from shared.runtime.clock import Clock
from shared.runtime.service import EffectFailed
from shared.security.signing import SIGNATURE_HEADER, TIMESTAMP_HEADER, sign
from shared.values.json_text import NoJson, SaidTwice, read_as

MAY_PASS = {401, 403, 408, 425, 429}
MinorUnits = Annotated[int, Field(strict=True, ge=0, le=MAX_MINOR_UNITS)]
Currency = Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
A = TypeVar("A", bound=BaseModel)


class ChannelUnavailable(EffectFailed):
    """The channel gave no answer, or one that leaves open whether the request was carried out."""


class ChannelUnread(ChannelUnavailable):
    """The answer can't be read, so whether the request was carried out is unknown."""


class ChannelRefused(Exception):
    """The channel refused the request, and did not carry it out. `status` is the HTTP status."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(f"{status}: {detail}")
        self.status = status


class Opened(BaseModel):
    channel_ref: str = Field(min_length=1, max_length=500)
    pay_url: str = Field(max_length=500)

    @property
    def is_payable(self) -> bool:
        """Whether `pay_url` is a web page. Buyers follow the link, and a browser would run a `javascript:` URL."""
        try:
            parts = urlsplit(self.pay_url)
        except ValueError:
            return False
        is_plain = self.pay_url.isprintable() and " " not in self.pay_url
        return is_plain and parts.scheme in ("http", "https") and bool(parts.hostname)


class Status(BaseModel):
    channel_ref: str = Field(min_length=1, max_length=500)
    status: Literal["pending", "paid", "failed"]
    amount: MinorUnits
    currency: Currency

    @property
    def money(self) -> Money:
        return Money(amount=self.amount, currency=self.currency)


class Refund(BaseModel):
    """Money that was paid back. A channel that pays later answers `pending` first."""

    return_id: str = Field(max_length=500)
    amount: MinorUnits
    currency: Currency
    status: Literal["done", "pending", "failed"] = "done"

    @property
    def money(self) -> Money:
        return Money(amount=self.amount, currency=self.currency)


class _Refunds(BaseModel):
    refunds: tuple[Refund, ...]


@dataclass(frozen=True)
class Channel:
    """One payment channel. Its calls raise ChannelUnavailable (also as ChannelUnread) or ChannelRefused."""

    http: httpx.Client
    secret: bytes = field(repr=False)
    clock: Clock
    return_url: str

    def open(self, payment_id: str, amount: Money) -> Opened:
        """Open a payment. The same id and amount return the same payment."""
        body = {"payment_id": payment_id, **amount.model_dump(), "return_url": self.return_url}
        return self._call(Opened, "POST", "/payments", body)

    def status(self, payment_id: str) -> Status:
        """The state of a payment."""
        return self._call(Status, "GET", f"/payments/{quote(payment_id, safe='')}")

    def close(self, payment_id: str) -> Status:
        """Close a payment, so that it takes no money any more: the answer is then `failed`. Closing again is the
        same."""
        return self._call(Status, "POST", f"/payments/{quote(payment_id, safe='')}/close", {})

    def refunds(self, payment_id: str) -> tuple[Refund, ...]:
        """Everything that the channel has paid back of a payment."""
        return self._call(_Refunds, "GET", f"/payments/{quote(payment_id, safe='')}/refunds").refunds

    def refund(self, payment_id: str, return_id: str, amount: Money, channel_ref: str = "") -> Refund:
        """Pay a part of a payment back. One return id pays once. `channel_ref` is the reference of the payment."""
        body = {"return_id": return_id, **amount.model_dump(), "channel_ref": channel_ref}
        return self._call(Refund, "POST", f"/payments/{quote(payment_id, safe='')}/refunds", body)

    def _call(self, answer: type[A], method: str, path: str, body: Mapping[str, object] | None = None) -> A:
        content = b"" if body is None else json.dumps(body).encode()
        request = self.http.build_request(method, path, content=content, headers={"Content-Type": "application/json"})
        timestamp = int(self.clock.now().timestamp())
        signed = f"{method} ".encode() + request.url.raw_path + b"\n" + content
        request.headers[TIMESTAMP_HEADER] = str(timestamp)
        request.headers[SIGNATURE_HEADER] = sign(self.secret, timestamp, signed)
        try:
            response = self.http.send(request)
        except httpx.DecodingError as error:
            raise ChannelUnread("answered in an encoding that can't be read") from error
        except httpx.TransportError as error:
            raise ChannelUnavailable(f"no answer: {type(error).__name__}") from error
        if response.is_client_error and response.status_code not in MAY_PASS:
            raise ChannelRefused(response.status_code, response.text[:200])
        if not response.is_success:
            raise ChannelUnavailable(f"answered {response.status_code}")
        try:
            return read_as(answer, response.content)
        except ValidationError as error:
            raise ChannelUnread(f"answered {error.error_count()} members that can't be read") from error
        except (SaidTwice, NoJson) as error:
            raise ChannelUnread(f"answered what can't be read: {error}") from error
