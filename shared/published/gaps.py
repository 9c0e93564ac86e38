"""What the contracts lack to tell and to read every version of an event that was ever published."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from shared.contracts.registry import anywhere, events, has_upcaster, published_until
from shared.published.fields import where
from shared.published.kinds import Kind


def gaps(kinds: Iterable[Kind]) -> list[str]:
    """One sentence for each class or step that is missing, or leads nowhere."""
    found = list(kinds)
    current = {kind.name: kind.version for kind in found if kind.is_current}
    known = {(kind.name, kind.version) for kind in found}
    told = [gap for name, newest in current.items() for gap in _of(name, newest, known)]
    for kind in found:
        if not kind.is_current and kind.version >= current.get(kind.name, 0):
            told.append(
                f"{kind.cls.__name__} says that it was {kind.cls.type()}, which is not behind the newest version"
            )
    return told


def _of(name: str, newest: int, known: set[tuple[str, int]]) -> Iterator[str]:
    cls, gap = (events() | anywhere())[name], False
    for version in range(newest - 1, 0, -1):
        if (name, version) not in known:
            yield f"no class says what {name}.v{version} was: keep it in {where(cls)} as a Former"
        if not has_upcaster(name, version):
            yield f'nothing lifts {name}.v{version}: logs hold it, write @upcaster("{name}", {version})'
        sent = published_until(name, version) is not None
        if sent and gap:
            yield f"{name}.v{version} can't be published: a @downcaster between it and the newest is missing"
        gap = gap or not sent
