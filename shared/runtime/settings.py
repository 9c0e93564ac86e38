"""What can be set from outside, by environment variables `KAMENG_...` (nested ones with `__`).

Here stands what more than one part of the platform must know; each service has its own in its `settings.py`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Self, TypeGuard, TypeVar

from pydantic import BaseModel, Field, PrivateAttr, ValidationError, field_validator
from pydantic_core import InitErrorDetails
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from shared.contracts import Shop
from shared.values import currencies, days, identities

T = TypeVar("T")
S = TypeVar("S", bound="OwnSettings")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@+-]{0,59}")  # a purchase's id is `<delivery>#<supplier>`


class SupplierSettings(BaseModel):
    """Where a supplier's API answers, and how long one call to it may take."""

    url: str
    timeout_seconds: float = 3.0


class ChannelSettings(BaseModel):
    """Where a payment channel's API answers."""

    url: str
    timeout_seconds: float = 5.0


class OwnSettings(BaseSettings):
    """What one service alone must know. Subclass it in the service's `settings.py`, and declare it with the service."""

    model_config = SettingsConfigDict(env_prefix="KAMENG_", env_nested_delimiter="__", extra="ignore", title="Settings")


class Settings(BaseSettings):
    """The defaults run everything on this machine with no server.

    `told` goes before the environment; what of it is no field of these is for the services' own settings, see `of`.
    """

    model_config = SettingsConfigDict(env_prefix="KAMENG_", env_nested_delimiter="__", extra="allow")

    _own: dict[type[OwnSettings], OwnSettings] = PrivateAttr(default_factory=dict)

    var: Path = Path("var")
    public_url: str = "http://127.0.0.1:8000"
    clock_tolerance_seconds: float = Field(default=300, gt=0)

    currencies: Annotated[tuple[str, ...], NoDecode] = currencies.USUAL
    time_zone: str = days.USUAL_ZONE

    suppliers: dict[str, SupplierSettings] = {}
    channels: dict[str, ChannelSettings] = {}

    def __init__(self, **told: Any) -> None:
        super().__init__(**told)

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

    @field_validator("time_zone")
    @classmethod
    def _is_a_zone(cls, told: str) -> str:
        return days.zone(told.strip()).key

    def shop(self) -> Shop:
        """What of this every decision knows."""
        return Shop(self.currencies, days.zone(self.time_zone))

    def of(self, kind: type[S]) -> S:
        """A service's own settings, read once. Raises ValidationError."""
        found = self._own.get(kind)
        if not isinstance(found, kind):
            found = self._own[kind] = kind(**_of_kind(self.model_extra or {}, kind))
        return found

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """Others, which have what these were told, and `update`."""
        copied = super().model_copy(update=update, deep=deep)
        copied._own = {}
        return copied


def is_own(kind: object) -> TypeGuard[type[OwnSettings]]:
    """Whether it is a kind of settings that a service has for itself."""
    return isinstance(kind, type) and issubclass(kind, OwnSettings) and kind is not OwnSettings


def read_settings(kinds: Iterable[type[OwnSettings]], **told: Any) -> Settings:
    """The settings, after those of these kinds were read as well. Raises one ValidationError that tells all that is
    wrong with any of them."""
    wrong: list[InitErrorDetails] = []
    settings: Settings | None = None
    try:
        settings = Settings(**told)
    except ValidationError as error:
        wrong += _details(error)
    for kind in kinds:
        try:
            kind(**_of_kind(told, kind))
        except ValidationError as error:
            wrong += _details(error)
    if settings is None or wrong:
        raise ValidationError.from_exception_data("Settings", wrong)
    return settings


def _of_kind(told: Mapping[str, Any], kind: type[OwnSettings]) -> dict[str, Any]:
    return {name: told[name] for name in kind.model_fields if name in told}


def _details(error: ValidationError) -> list[InitErrorDetails]:
    return [
        InitErrorDetails(type=one["type"], loc=one["loc"], input=one["input"], ctx=one.get("ctx", {}))
        for one in error.errors()
    ]


def own_url(database_url: str, service: str) -> str:
    """The URL of a service's own database: `{service}` in KAMENG_DATABASE_URL stands for its name."""
    return database_url.replace("{service}", service)
