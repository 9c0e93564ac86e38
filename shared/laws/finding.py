"""The outcome of checking one law."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """`checked` things were looked at; `violations` names those that break the law, at most `SHOWN` of `broken`."""

    law: str
    checked: int
    broken: int = 0
    violations: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        return self.broken == 0


SHOWN = 10


def finding(law: str, checked: int, violations: list[str]) -> Finding:
    """A finding that keeps the first few violations."""
    return Finding(law, checked, len(violations), tuple(violations[:SHOWN]))
