"""The result of checking a law: Finding and Violation."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

SHOWN = 10


class Violation(Exception):
    """A law is broken. `law` is its name, `detail` says where and how."""

    def __init__(self, law: str, detail: str) -> None:
        super().__init__(f"{law}: {detail}")
        self.law, self.detail = law, detail


@dataclass(frozen=True, slots=True)
class Finding:
    """`checked` things were checked; `broken` of them break the law, and `violations` describes at most SHOWN of those.

    `under_way` counts things that may break the law now, and must not any more when they have ended.
    """

    law: str
    checked: int
    broken: int = 0
    violations: tuple[str, ...] = ()
    under_way: int = 0

    @property
    def ok(self) -> bool:
        return self.broken == 0


def finding(law: str, checked: int, complaints: Iterable[str]) -> Finding:
    """A finding that keeps the first few complaints."""
    broken = list(complaints)
    return Finding(law, checked, len(broken), tuple(broken[:SHOWN]))
