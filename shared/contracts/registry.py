"""Finds message classes by stored type; upcasts old versions to the current one, downcasts events to published ones."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from functools import cache, lru_cache
from typing import Any, TypeVar

from shared.contracts.base import Command, Event, Former, Message

Upcaster = Callable[[dict[str, Any]], dict[str, Any]]
Downcaster = Callable[[dict[str, Any]], dict[str, Any]]
_upcasters: dict[tuple[str, int], Upcaster] = {}
_downcasts: dict[tuple[str, int], Downcast] = {}
M = TypeVar("M", bound=Message)


class UnknownMessage(LookupError):
    """No contract of this name, or a version newer than this code knows."""


def upcaster(name: str, from_version: int) -> Callable[[Upcaster], Upcaster]:
    """Register the step from one version of a message to the next. Steps are chained up to the current version."""

    def register(step: Upcaster) -> Upcaster:
        _upcasters[name, from_version] = step
        return step

    return register


@dataclass(frozen=True, slots=True)
class Downcast:
    """The step from one version of an event to the previous one, which is published at least until `until`."""

    step: Downcaster
    until: date


def downcaster(name: str, from_version: int, *, until: date) -> Callable[[Downcaster], Downcaster]:
    """Register the step from one version of an event to the previous one. While it is registered, both are published.

    It must return data for every event, and the data must fit the `Former` of the previous version.
    """

    def register(step: Downcaster) -> Downcaster:
        _downcasts[name, from_version] = Downcast(step, until)
        return step

    return register


def has_upcaster(name: str, from_version: int) -> bool:
    """Whether an upcaster lifts this version to the next."""
    return (name, from_version) in _upcasters


def published_until(name: str, version: int) -> date | None:
    """The date until which an earlier version is published at least; None when it is not published."""
    downcast = _downcasts.get((name, version + 1))
    return downcast.until if downcast else None


def _concrete(base: type[M]) -> dict[str, type[M]]:
    found: dict[str, type[M]] = {}
    for cls in base.__subclasses__():
        if "key" in cls.__dict__:
            if cls.__name__ in found:
                raise TypeError(f"two messages are called {cls.__name__}")
            found[cls.__name__] = cls
    return found


def events() -> dict[str, type[Event]]:
    """Every event of a service by name, without events that may be in any log."""
    return {name: cls for name, cls in _concrete(Event).items() if cls.owner}


def anywhere() -> dict[str, type[Event]]:
    """Every event that may be in any log, by name."""
    return {name: cls for name, cls in _concrete(Event).items() if not cls.owner}


def commands() -> dict[str, type[Command]]:
    """Every command by name."""
    return _concrete(Command)


def formers() -> dict[tuple[str, int], type[Former]]:
    """Every earlier version of an event, by the event's name and the version."""
    found: dict[tuple[str, int], type[Former]] = {}
    for cls in Former.__subclasses__():
        if (cls.of, cls.version) in found:
            raise TypeError(f"two classes are {cls.type()}")
        found[cls.of, cls.version] = cls
    return found


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


def is_event(name: str) -> bool:
    """Whether this code knows an event with this name, in any version."""
    try:
        _find(Event, name)
    except UnknownMessage:
        return False
    return True


def check_event(type_: str) -> None:
    """Raises UnknownMessage for the stored type of an event that this code can't read."""
    name, version = _parsed(type_)
    newest = _find(Event, name).version
    if version > newest:
        raise UnknownMessage(f"{type_} is newer than this code, which knows version {newest}")
    for step in range(version, newest):
        if (name, step) not in _upcasters:
            raise UnknownMessage(f"nothing lifts {name} from version {step} to {step + 1}")


def owner_of(type_: str) -> str:
    """The service whose log holds events of this stored type; empty when any log may, or the type is unknown."""
    found = _concrete(Event).get(type_.rpartition(".v")[0])
    return found.owner if found else ""


def decode_event(type_: str, data: str | bytes) -> Event:
    """The event stored as JSON `data` under `type_`. Raises UnknownMessage, or pydantic's ValidationError."""
    return _decode(Event, type_, data)


def decode_command(type_: str, data: str | bytes) -> Command:
    """The command stored as JSON `data` under `type_`. Raises UnknownMessage, or pydantic's ValidationError."""
    return _decode(Command, type_, data)


def older(event: Event) -> list[Former]:
    """The event as each earlier version that is still published, the oldest first.

    Raises UnknownMessage when a version has no `Former`, or pydantic's ValidationError when it does not fit it.
    """
    name, version = type(event).__name__, event.version
    if (name, version) not in _downcasts:
        return []
    said: list[Former] = []
    body = event.model_dump(mode="json")
    while downcast := _downcasts.get((name, version)):
        version -= 1
        body = downcast.step(body)
        said.insert(0, _former(name, version).model_validate(body))
    return said


@cache
def _former(name: str, version: int) -> type[Former]:
    try:
        return formers()[name, version]
    except KeyError:
        raise UnknownMessage(f"no class is {name}.v{version}") from None
