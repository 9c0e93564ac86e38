"""The settings of a cluster process, beyond those of the services."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from shared.runtime.settings import own_url


class ClusterSettings(BaseSettings):
    """Read from the environment, as `KAMENG_...`.

    `database_url` is of the form postgresql+psycopg://user:password@host:port/name, where `{service}` stands for the
    service's name; `amqp_url` of the form amqp://user:password@host:port/. Health and metrics are served on
    `health_host` and `health_port` (0: any free one); the address taken is written to `health_file`.
    """

    model_config = SettingsConfigDict(env_prefix="KAMENG_", extra="ignore")

    database_url: str = Field(repr=False)
    amqp_url: str = Field(repr=False)
    health_host: str = "127.0.0.1"
    health_port: int = Field(default=0, ge=0, le=65535)
    health_file: Path | None = None

    def database_of(self, service: str) -> str:
        """The URL of a service's own database."""
        return own_url(self.database_url, service)
