"""What can be told of a body that could not be read, without keeping it: it may hold card keys, or what is private."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from shared.contracts.gateway import Scrap

# The members that say what a statement is about. Goods and reasons are never among them.
CHANNELS = frozenset({"callback_id", "payment_id", "channel_ref", "amount", "currency", "status"})
SUPPLIERS = frozenset({"request_id", "outcome", "supplier_ref", "cost", "cost.amount", "cost.currency"})
NAMES = {"channel": CHANNELS, "supplier": SUPPLIERS}
MOST, LONGEST = 20, 80
MOST_FAULTS, LONGEST_FAULT = 10, 200


class _Members(list[tuple[str, Any]]):
    """The members of a JSON object, those that come twice as well."""


def scraps_of(kind: str, body: bytes) -> tuple[Scrap, ...]:
    """The plain members of these names, as short texts; none of what is no JSON."""
    try:
        told = json.loads(body, object_pairs_hook=_Members, parse_int=str, parse_float=str)
    except (ValueError, RecursionError):
        return ()
    names = NAMES[kind]
    return tuple(Scrap(name=name, text=_short(text)) for name, text in _plain(told) if name in names)[:MOST]


def faults_of(errors: Sequence[Any]) -> Iterable[str]:
    """What pydantic found wrong, without what was sent."""
    for error in errors[:MOST_FAULTS]:
        where = ".".join(str(part) for part in error["loc"])
        yield f"{where}: {error['msg']}"[:LONGEST_FAULT]


def _plain(told: object, within: str = "") -> Iterator[tuple[str, str]]:
    for name, value in told if isinstance(told, _Members) else ():
        if isinstance(value, _Members) and not within:
            yield from _plain(value, f"{name}.")
        elif value is None or isinstance(value, bool | str | float):
            yield f"{within}{name}", value if isinstance(value, str) else json.dumps(value)


def _short(text: str) -> str:
    part = text[: LONGEST + 1]
    shown = part if part.isprintable() else part.encode("unicode_escape").decode()
    return shown if len(shown) <= LONGEST else f"{shown[:LONGEST]}…"
