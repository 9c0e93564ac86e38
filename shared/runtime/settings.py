"""The settings that several parts of the platform read, from environment variables `KAMENG_...` (nested with `__`).

Each service has its own settings in its `settings.py`.
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
    """The URL of a supplier's API, and the timeout of one call."""

    url: str
    timeout_seconds: float = 3.0


class ChannelSettings(BaseModel):
    """The URL of a payment channel's API, and the timeout of one call."""

    url: str
    timeout_seconds: float = 5.0


class OwnSettings(BaseSettings):
    """The settings of one service. Subclass it in the service's `settings.py`, and declare it with the service."""

    model_config = SettingsConfigDict(env_prefix="KAMENG_", env_nested_delimiter="__", extra="ignore", title="Settings")


class Settings(BaseSettings):
    """The shared settings. The defaults run everything on this machine without a server.

    Keyword arguments take precedence over the environment. Arguments that are no field here go to the services' own
    settings; see `of`.
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

    def __init__(self, **values: Any) -> None:
        super().__init__(**values)

    @field_validator("suppliers", "channels")
    @classmethod
    def _are_names(cls, by_name: dict[str, T]) -> dict[str, T]:
        """Suppliers and channels are named in the form that products, orders and callbacks use."""
        for name in by_name:
            if not _NAME.fullmatch(name) or identities.or_as_is(identities.code, name) != name:
                raise ValueError(f"{name!r} is no name: letters, digits and . _ : / @ + -, a letter or digit first")
        return by_name

    @field_validator("currencies", mode="before")
    @classmethod
    def _are_currencies(cls, value: object) -> object:
        """ISO 4217 codes with commas between them, at least one."""
        parts = value.split(",") if isinstance(value, str) else value
        if not isinstance(parts, list | tuple) or not parts:
            raise ValueError("expected currencies such as CNY,USD")
        return tuple(dict.fromkeys(currencies.known(str(part).strip().upper()) for part in parts))

    @field_validator("time_zone")
    @classmethod
    def _is_a_zone(cls, name: str) -> str:
        return days.zone(name.strip()).key

    def shop(self) -> Shop:
        """The currencies and time zone, which every decision gets."""
        return Shop(self.currencies, days.zone(self.time_zone))

    def of(self, kind: type[S]) -> S:
        """A service's own settings of this class; they are read once. Raises ValidationError."""
        found = self._own.get(kind)
        if not isinstance(found, kind):
            found = self._own[kind] = kind(**_of_kind(self.model_extra or {}, kind))
        return found

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """A copy with the values in `update`; services' own settings are read again."""
        copied = super().model_copy(update=update, deep=deep)
        copied._own = {}
        return copied


def is_own(kind: object) -> TypeGuard[type[OwnSettings]]:
    """Whether an object is a service's settings class."""
    return isinstance(kind, type) and issubclass(kind, OwnSettings) and kind is not OwnSettings


def read_settings(kinds: Iterable[type[OwnSettings]], **values: Any) -> Settings:
    """Read the shared settings, and check the services' settings of these classes. Raises one ValidationError with all
    errors."""
    wrong: list[InitErrorDetails] = []
    settings: Settings | None = None
    try:
        settings = Settings(**values)
    except ValidationError as error:
        wrong += _details(error)
    for kind in kinds:
        try:
            kind(**_of_kind(values, kind))
        except ValidationError as error:
            wrong += _details(error)
    if settings is None or wrong:
        raise ValidationError.from_exception_data("Settings", wrong)
    return settings


def _of_kind(values: Mapping[str, Any], kind: type[OwnSettings]) -> dict[str, Any]:
    return {name: values[name] for name in kind.model_fields if name in values}


def _details(error: ValidationError) -> list[InitErrorDetails]:
    return [
        InitErrorDetails(type=one["type"], loc=one["loc"], input=one["input"], ctx=one.get("ctx", {}))
        for one in error.errors()
    ]


def own_url(database_url: str, service: str) -> str:
    """The URL of a service's own database: `{service}` in KAMENG_DATABASE_URL stands for its name."""
    return database_url.replace("{service}", service)
