"""Settings of the HTTP API, its imports and its webhooks."""

from __future__ import annotations

from ipaddress import ip_network

from pydantic import Field, field_validator

from shared.runtime.settings import OwnSettings


class GatewaySettings(OwnSettings):
    """Limits by address or customer apply to one hour. `connections_per_address` 0 means no limit."""

    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65535)
    trusted_proxies: str = ""
    site_addresses: str = ""
    registrations_per_address: int = Field(default=60, ge=1)
    registrations: int = Field(default=10_000, ge=1)
    deposits_per_customer: int = Field(default=60, ge=1)
    connections_per_address: int = Field(default=256, ge=0)
    import_wait_seconds: float = Field(default=300, ge=0)
    webhook_private: bool = False
    webhook_disable_after_seconds: float = 259_200
    webhook_overlap_seconds: int = Field(default=86_400, ge=0, le=30 * 86_400)

    @field_validator("trusted_proxies", "site_addresses")
    @classmethod
    def _are_addresses(cls, setting: str) -> str:
        """Addresses and networks, separated by commas. `*` is refused."""
        for part in setting.split(",") if setting.strip() else ():
            ip_network(part.strip())
        return setting.strip()
