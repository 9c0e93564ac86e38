"""What there is to subscribe to: each event in each version that the contracts know."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property

from shared.broker.topology import event_key
from shared.contracts import Former, Message
from shared.contracts.registry import anywhere, events, formers, published_until

OURS = "shared.contracts."


@dataclass(frozen=True)
class Kind:
    """One version of an event. `name` is the event's; `until` is set for an earlier version that is still sent.

    `beside` are the versions that are sent, where there are several; `log` is the service, of an event that
    may stand in any log.
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
    def version(self) -> int:
        return self.cls.version

    @property
    def is_current(self) -> bool:
        return not issubclass(self.cls, Former)

    @property
    def is_sent(self) -> bool:
        """Whether publishers send it. What is not sent stands in the logs only, and is lifted when it is read."""
        return self.is_current or self.until is not None

    @property
    def key(self) -> str:
        """The routing key, which names its files as well: `order.OrderPlaced.v1`."""
        return event_key(self.owner, self.cls.type())

    @cached_property
    def meaning(self) -> str:
        """The docstring of its class, on one line a paragraph."""
        paragraphs = re.split(r"\n\s*\n", (self.cls.__dict__.get("__doc__") or "").strip())
        return "\n\n".join(" ".join(one.split()) for one in paragraphs)


def kinds() -> list[Kind]:
    """All of them, by owner and name, the versions in order."""
    found = [Kind(cls.__name__, cls) for cls in events().values()]
    found += [Kind(name, cls, published_until(name, version)) for (name, version), cls in formers().items()]
    ours = [kind for kind in found if kind.cls.__module__.startswith(OURS)]
    logs = sorted({kind.owner for kind in ours})
    ours += [Kind(name, cls, log=log) for name, cls in anywhere().items() for log in logs]
    sent: dict[tuple[str, str], list[int]] = defaultdict(list)
    for kind in ours:
        if kind.is_sent:
            sent[kind.owner, kind.name].append(kind.version)
    ours = [replace(kind, beside=_several(sent[kind.owner, kind.name])) if kind.is_sent else kind for kind in ours]
    return sorted(ours, key=lambda kind: (kind.owner, kind.name, kind.version))


def _several(versions: list[int]) -> tuple[int, ...]:
    return tuple(sorted(versions)) if len(versions) > 1 else ()
