"""All that can be set from outside, by environment variables `KAMENG_...` (nested ones with `__`)."""

from __future__ import annotations

import re
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, TypeVar

from pydantic import BaseModel, Field, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from shared.contracts import Shop
from shared.values import currencies, days, identities

T = TypeVar("T")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@+-]{0,59}")  # a purchase's id is `<delivery>#<supplier>`


class SupplierSettings(BaseModel):
    """Where a supplier's API answers, and how long one call to it may take."""

    url: str
    timeout_seconds: float = 3.0


class ChannelSettings(BaseModel):
    """Where a payment channel's API answers."""

    url: str
    timeout_seconds: float = 5.0


class Settings(BaseSettings):
    """The defaults run everything on this machine with no server."""

    model_config = SettingsConfigDict(env_prefix="KAMENG_", env_nested_delimiter="__", extra="ignore")

    var: Path = Path("var")
    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65535)
    public_url: str = "http://127.0.0.1:8000"
    trusted_proxies: str = ""
    site_addresses: str = ""
    registrations_per_address: int = Field(default=60, ge=1)
    registrations: int = Field(default=10_000, ge=1)
    deposits_per_customer: int = Field(default=60, ge=1)
    connections_per_address: int = Field(default=256, ge=0)

    pay_within_seconds: float = 1800
    ask_within_seconds: float = 7200
    answer_within_seconds: float = 60
    review_within_seconds: float = 86_400
    deliver_within_seconds: float = 600
    reserve_for_seconds: float = 90_000
    reopen_within_seconds: float = 86_400
    unpaid_share_percent: int = Field(default=50, ge=1, le=100)
    unpaid_buyer_percent: int = Field(default=50, ge=1, le=100)
    unpaid_kept_percent: int = Field(default=10, ge=1, le=100)
    unpaid_small_order: int = Field(default=5, ge=0)
    unpaid_mails: int = Field(default=3, ge=0, le=100)
    unpaid_mails_to_payer: int = Field(default=20, ge=0, le=100)
    clock_tolerance_seconds: float = Field(default=300, gt=0)
    import_wait_seconds: float = Field(default=300, ge=0)
    commission_basis_points: int = Field(default=300, ge=0, le=10_000)

    currencies: Annotated[tuple[str, ...], NoDecode] = currencies.USUAL
    time_zone: str = days.USUAL_ZONE
    review_order_above: dict[str, str] = {"CNY": "5000.00"}
    review_customer_day_above: dict[str, str] = {"CNY": "20000.00"}

    suppliers: dict[str, SupplierSettings] = {}
    supplier_look_up_seconds: float = 86_400
    channels: dict[str, ChannelSettings] = {}
    smtp_url: str | None = None
    mail_from: str = "shop@kameng.invalid"
    staff_webhook_url: str | None = None

    webhook_private: bool = False
    webhook_disable_after_seconds: float = 259_200
    webhook_overlap_seconds: int = Field(default=86_400, ge=0, le=30 * 86_400)

    @field_validator("trusted_proxies", "site_addresses")
    @classmethod
    def _are_addresses(cls, told: str) -> str:
        """Addresses and networks with commas between them; `*`, whoever it may be, is refused."""
        for part in told.split(",") if told.strip() else ():
            ip_network(part.strip())
        return told.strip()

    @field_validator("suppliers", "channels")
    @classmethod
    def _are_names(cls, told: dict[str, T]) -> dict[str, T]:
        """Names as products, orders and callbacks name them: one that has another form would never be found."""
        for name in told:
            if not _NAME.fullmatch(name) or identities.or_as_is(identities.code, name) != name:
                raise ValueError(f"{name!r} is no name: letters, digits and . _ : / @ + -, a letter or digit first")
        return told

    @field_validator("currencies", mode="before")
    @classmethod
    def _are_currencies(cls, told: object) -> object:
        """Codes of ISO 4217 with commas between them, one at least."""
        parts = told.split(",") if isinstance(told, str) else told
        if not isinstance(parts, list | tuple) or not parts:
            raise ValueError("expected currencies such as CNY,USD")
        return tuple(dict.fromkeys(currencies.known(str(part).strip().upper()) for part in parts))

    @field_validator("review_order_above", "review_customer_day_above", mode="before")
    @classmethod
    def _are_amounts(cls, told: object) -> object:
        """Decimals by currency, such as {"USD": "700.00"}."""
        if not isinstance(told, dict):
            raise ValueError('expected amounts by currency, such as {"USD": "700.00"}')
        limits = {str(name).upper(): str(amount) for name, amount in told.items()}
        if any(currencies.minor(amount, code) < 0 for code, amount in limits.items()):
            raise ValueError("a limit can't be below zero")
        return limits

    @field_validator("time_zone")
    @classmethod
    def _is_a_zone(cls, told: str) -> str:
        return days.zone(told.strip()).key

    def shop(self) -> Shop:
        """What of this every decision knows."""
        return Shop(self.currencies, days.zone(self.time_zone))


def own_url(database_url: str, service: str) -> str:
    """The URL of a service's own database: `{service}` in KAMENG_DATABASE_URL stands for its name."""
    return database_url.replace("{service}", service)
