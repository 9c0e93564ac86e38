"""Which events are wanted: topic patterns, as the broker matches them, for the feed as well."""

from __future__ import annotations

import re
from collections.abc import Sequence

from kameng_subscriber.errors import Misconfigured
from kameng_subscriber.events import SOURCES

EVERYTHING = ("#",)
_WORD = re.compile(r"^[A-Za-z0-9_-]+$")


class Selection:
    """Patterns over `<service>.<event>.v<N>`; `*` is one word, `#` any number: `order.#`, `ledger.FundsHeld.*`.

    `sources` are the services they may select from, `patterns` one or more for each: a pattern that begins with a
    wildcard is written out for every service that this version knows, so that feed and queue always mean the same.
    Raises Misconfigured for a pattern that can select nothing.
    """

    def __init__(self, only: Sequence[str]) -> None:
        if isinstance(only, str) or not only:
            raise Misconfigured("`only` must be a sequence of patterns, such as ('order.#',)")
        self.patterns = tuple(dict.fromkeys(one for pattern in only for one in _spelled_out(pattern)))
        self.sources = tuple(source for source in SOURCES if any(one.split(".")[0] == source for one in self.patterns))
        self._expressions = [_expression(pattern) for pattern in self.patterns]

    def wants(self, key: str) -> bool:
        return any(expression.fullmatch(key) for expression in self._expressions)

    def __str__(self) -> str:
        return " ".join(sorted(self.patterns))


def _spelled_out(pattern: str) -> list[str]:
    first, dot, rest = pattern.partition(".")
    if not all(word in "*#" or _WORD.match(word) for word in pattern.split(".")) or "" in pattern.split("."):
        raise Misconfigured(f"{pattern!r} is not a pattern such as 'order.#' or 'ledger.FundsHeld.*'")
    if first == "#":
        return [f"{source}.#{dot}{rest}" for source in SOURCES]
    if first == "*":
        return [f"{source}{dot}{rest}" for source in SOURCES]
    if first not in SOURCES:
        raise Misconfigured(f"{pattern!r}: there is no service {first!r}; there are {', '.join(SOURCES)}")
    return [pattern]


def _expression(pattern: str) -> re.Pattern[str]:
    parts = []
    for word in pattern.split("."):
        if word == "#":
            parts.append(r"(?:\.[^.]+)*")
        else:
            parts.append(r"\." + (r"[^.]+" if word == "*" else re.escape(word)))
    return re.compile("".join(parts).removeprefix(r"\."))
