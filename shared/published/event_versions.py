"""Lists every version of every event in the contracts."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property

from shared.contracts import Former, Message
from shared.contracts.registry import anywhere, events, formers, published_until
from shared.messages.topology import event_key

OURS = "shared.contracts."


@dataclass(frozen=True)
class EventVersion:
    """One version of the event `name`. `until` is set for an earlier version that is still published.

    `beside`: all published versions, when there are several. `log`: the service, for an event that may be in any log.
    """

    name: str
    cls: type[Message]
    until: date | None = None
    beside: tuple[int, ...] = ()
    log: str = ""

    @property
    def owner(self) -> str:
        return self.log or self.cls.owner

    @property
    def number(self) -> int:
        return self.cls.version

    @property
    def is_current(self) -> bool:
        return not issubclass(self.cls, Former)

    @property
    def is_sent(self) -> bool:
        """Whether publishers send it. A version that is not sent is in logs only, and upcast when it is read."""
        return self.is_current or self.until is not None

    @property
    def key(self) -> str:
        """The routing key, `<service>.<event>.v<number>`; its files are named after it."""
        return event_key(self.owner, self.cls.type())

    @cached_property
    def meaning(self) -> str:
        """The docstring of its class, each paragraph on one line."""
        paragraphs = re.split(r"\n\s*\n", (self.cls.__dict__.get("__doc__") or "").strip())
        return "\n\n".join(" ".join(one.split()) for one in paragraphs)


def event_versions() -> list[EventVersion]:
    """All versions, sorted by owner, name and version."""
    found = [EventVersion(cls.__name__, cls) for cls in events().values()]
    found += [EventVersion(name, cls, published_until(name, version)) for (name, version), cls in formers().items()]
    ours = [version for version in found if version.cls.__module__.startswith(OURS)]
    logs = sorted({version.owner for version in ours})
    ours += [EventVersion(name, cls, log=log) for name, cls in anywhere().items() for log in logs]
    sent: dict[tuple[str, str], list[int]] = defaultdict(list)
    for version in ours:
        if version.is_sent:
            sent[version.owner, version.name].append(version.number)
    ours = [
        replace(version, beside=_several(sent[version.owner, version.name])) if version.is_sent else version
        for version in ours
    ]
    return sorted(ours, key=lambda version: (version.owner, version.name, version.number))


def _several(versions: list[int]) -> tuple[int, ...]:
    return tuple(sorted(versions)) if len(versions) > 1 else ()
