"""Finds a message class by its stored type, and lifts old versions to the current one."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache, lru_cache
from typing import Any, TypeVar

from shared.contracts.base import Command, Event, Message

Upcaster = Callable[[dict[str, Any]], dict[str, Any]]
_upcasters: dict[tuple[str, int], Upcaster] = {}
M = TypeVar("M", bound=Message)


class UnknownMessage(LookupError):
    """No contract of this name, or a version newer than this code knows."""


def upcaster(name: str, from_version: int) -> Callable[[Upcaster], Upcaster]:
    """Registers the step from one version of a message to the next; steps are chained up to the current version."""

    def register(step: Upcaster) -> Upcaster:
        _upcasters[name, from_version] = step
        return step

    return register


def _concrete(base: type[M]) -> dict[str, type[M]]:
    found: dict[str, type[M]] = {}
    for cls in base.__subclasses__():
        if "key" in cls.__dict__:
            if cls.__name__ in found:
                raise TypeError(f"two messages are called {cls.__name__}")
            found[cls.__name__] = cls
    return found


def events() -> dict[str, type[Event]]:
    """Every event by name."""
    return _concrete(Event)


def commands() -> dict[str, type[Command]]:
    """Every command by name."""
    return _concrete(Command)


@cache
def _find(base: type[M], name: str) -> type[M]:
    try:
        return _concrete(base)[name]
    except KeyError:
        raise UnknownMessage(f"no {base.__name__.lower()} is called {name}") from None


@lru_cache(maxsize=1_000)
def _parsed(type_: str) -> tuple[str, int]:
    name, _, number = type_.rpartition(".v")
    if not number.isdecimal():
        raise UnknownMessage(f"{type_} names no version")
    return name, int(number)


def _decode(base: type[M], type_: str, data: str | bytes) -> M:
    name, version = _parsed(type_)
    cls = _find(base, name)
    if version == cls.version:
        return cls.model_validate_json(data)
    if version > cls.version:
        raise UnknownMessage(f"{type_} is newer than this code, which knows version {cls.version}")
    body = json.loads(data)
    for step in range(version, cls.version):
        lift = _upcasters.get((name, step))
        if lift is None:
            raise UnknownMessage(f"nothing lifts {name} from version {step} to {step + 1}")
        body = lift(body)
    return cls.model_validate(body)


def decode_event(type_: str, data: str | bytes) -> Event:
    """The event stored as JSON `data` under `type_`. Raises UnknownMessage, or pydantic's ValidationError."""
    return _decode(Event, type_, data)


def decode_command(type_: str, data: str | bytes) -> Command:
    """The command stored as JSON `data` under `type_`. Raises UnknownMessage, or pydantic's ValidationError."""
    return _decode(Command, type_, data)
