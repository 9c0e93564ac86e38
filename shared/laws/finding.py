"""The outcome of checking one law."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """`checked` things were looked at; `violations` names those that break the law, at most `SHOWN` of `broken`.

    `under_way` counts the things that the law will only hold for when they have ended.
    """

    law: str
    checked: int
    broken: int = 0
    violations: tuple[str, ...] = ()
    under_way: int = 0

    @property
    def ok(self) -> bool:
        return self.broken == 0


SHOWN = 10


def finding(law: str, checked: int, violations: list[str], *, under_way: int = 0) -> Finding:
    """A finding that keeps the first few violations."""
    return Finding(law, checked, len(violations), tuple(violations[:SHOWN]), under_way)
