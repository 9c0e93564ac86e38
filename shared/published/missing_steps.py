"""Finds missing classes, upcasters and downcasters of event versions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from shared.contracts.registry import anywhere, events, has_upcaster, published_until
from shared.published.event_versions import EventVersion
from shared.published.fields import where


def missing_steps(versions: Iterable[EventVersion]) -> list[str]:
    """A sentence for each class or step that is missing or leads nowhere."""
    found = list(versions)
    current = {version.name: version.number for version in found if version.is_current}
    known = {(version.name, version.number) for version in found}
    missing = [step for name, newest in current.items() for step in _of(name, newest, known)]
    for version in found:
        if not version.is_current and version.number >= current.get(version.name, 0):
            missing.append(
                f"{version.cls.__name__} says that it was {version.cls.type()}, which is not behind the newest version"
            )
    return missing


def _of(name: str, newest: int, known: set[tuple[str, int]]) -> Iterator[str]:
    cls, is_missing = (events() | anywhere())[name], False
    for version in range(newest - 1, 0, -1):
        if (name, version) not in known:
            yield f"no class says what {name}.v{version} was: keep it in {where(cls)} as a Former"
        if not has_upcaster(name, version):
            yield f'nothing lifts {name}.v{version}: logs hold it, write @upcaster("{name}", {version})'
        sent = published_until(name, version) is not None
        if sent and is_missing:
            yield f"{name}.v{version} can't be published: a @downcaster between it and the newest is missing"
        is_missing = is_missing or not sent
