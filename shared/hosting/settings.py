"""All that can be set from outside, by environment variables `KAMENG_...` (nested ones with `__`)."""

from __future__ import annotations

from ipaddress import ip_network
from pathlib import Path

from pydantic import BaseModel, Field, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


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

    pay_within_seconds: float = 1800
    answer_within_seconds: float = 60
    review_within_seconds: float = 86_400
    deliver_within_seconds: float = 600
    reserve_for_seconds: float = 90_000
    commission_basis_points: int = Field(default=300, ge=0, le=10_000)

    suppliers: dict[str, SupplierSettings] = {}
    channels: dict[str, ChannelSettings] = {}
    smtp_url: str | None = None
    mail_from: str = "shop@kameng.invalid"
    staff_webhook_url: str | None = None

    webhook_private: bool = False
    webhook_disable_after_seconds: float = 259_200
    webhook_overlap_seconds: int = Field(default=86_400, ge=0, le=30 * 86_400)

    @field_validator("trusted_proxies")
    @classmethod
    def _are_addresses(cls, told: str) -> str:
        """Addresses and networks with commas between them; `*`, whoever it may be, is refused."""
        for part in told.split(",") if told.strip() else ():
            ip_network(part.strip())
        return told.strip()


def own_url(database_url: str, service: str) -> str:
    """The URL of a service's own database: `{service}` in KAMENG_DATABASE_URL stands for its name."""
    return database_url.replace("{service}", service)
