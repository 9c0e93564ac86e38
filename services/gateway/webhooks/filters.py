"""Filters: which events an endpoint gets."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase
from functools import lru_cache

from shared.contracts import events


def lets_through(filter_: Iterable[str], source: str, name: str) -> bool:
    """Whether a pattern matches the event of this name in this service's log. `*` matches any letters."""
    whole = f"{source}.{name}"
    return any(fnmatchcase(whole, pattern) for pattern in filter_)


@lru_cache(maxsize=1_000)
def sources_of(filter_: tuple[str, ...]) -> frozenset[str]:
    """The services with events that the filter lets through, by the contracts that this code knows."""
    return frozenset(kind.owner for kind in events().values() if lets_through(filter_, kind.owner, kind.__name__))
