"""The few members of an unread body that may be shown. The body itself is not kept: it may hold card keys."""

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
    """The members of a JSON object, including repeated ones."""


def scraps_of(kind: str, body: bytes) -> tuple[Scrap, ...]:
    """The members with known names and plain values, as short texts; none when the body is not JSON."""
    try:
        document = json.loads(body, object_pairs_hook=_Members, parse_int=str, parse_float=str)
    except (ValueError, RecursionError):
        return ()
    names = NAMES[kind]
    return tuple(Scrap(name=name, text=_short(text)) for name, text in _plain(document) if name in names)[:MOST]


def faults_of(errors: Sequence[Any]) -> Iterable[str]:
    """What pydantic found wrong, without the values that were sent."""
    for error in errors[:MOST_FAULTS]:
        where = ".".join(str(part) for part in error["loc"])
        yield f"{where}: {error['msg']}"[:LONGEST_FAULT]


def _plain(document: object, within: str = "") -> Iterator[tuple[str, str]]:
    for name, value in document if isinstance(document, _Members) else ():
        if isinstance(value, _Members) and not within:
            yield from _plain(value, f"{name}.")
        elif value is None or isinstance(value, bool | str | float):
            yield f"{within}{name}", value if isinstance(value, str) else json.dumps(value)


def _short(text: str) -> str:
    part = text[: LONGEST + 1]
    printable = part if part.isprintable() else part.encode("unicode_escape").decode()
    return printable if len(printable) <= LONGEST else f"{printable[:LONGEST]}…"
