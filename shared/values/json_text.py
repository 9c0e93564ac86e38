"""Reads JSON of partners strictly: a repeated member of an object is an error, since JSON parsers would take the
last."""

from __future__ import annotations

import json
from typing import Any, TypeVar

from pydantic import BaseModel

M = TypeVar("M", bound=BaseModel)


class SaidTwice(ValueError):
    """A member of a JSON object comes more than once."""

    def __init__(self) -> None:
        super().__init__("a member of a JSON object comes more than once")


class NoJson(ValueError):
    """A text is not JSON."""

    def __init__(self) -> None:
        super().__init__("the body is no JSON that can be read")


def read_json(text: bytes | str) -> Any:
    """Parse JSON. Raises SaidTwice, and ValueError or RecursionError when the text is not JSON."""
    return json.loads(text, object_pairs_hook=_once)


def check_members(text: bytes | str) -> None:
    """Raises SaidTwice when a member comes twice, NoJson when the text is not JSON."""
    try:
        read_json(text)
    except SaidTwice:
        raise
    except (ValueError, RecursionError):
        raise NoJson from None


def read_as(kind: type[M], text: bytes) -> M:
    """Parse a partner's callback or answer. Raises ValidationError when it does not fit `kind`, SaidTwice and NoJson;
    all are ValueErrors."""
    content = kind.model_validate_json(text)
    check_members(text)
    return content


def _once(members: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(members)
    if len(found) != len(members):
        raise SaidTwice
    return found
