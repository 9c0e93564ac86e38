"""JSON that somebody else wrote, in which each member of an object comes once: two that differ say nothing that can be
believed, and readers of JSON take the last."""

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
    """A text that is no JSON that can be read."""

    def __init__(self) -> None:
        super().__init__("the body is no JSON that can be read")


def read_json(told: bytes | str) -> Any:
    """What a JSON text says. Raises SaidTwice, and ValueError or RecursionError for what is no JSON."""
    return json.loads(told, object_pairs_hook=_once)


def check_members(told: bytes | str) -> None:
    """Raises SaidTwice for JSON that says something twice, NoJson for what can't be read at all."""
    try:
        read_json(told)
    except SaidTwice:
        raise
    except (ValueError, RecursionError):
        raise NoJson from None


def read_as(kind: type[M], told: bytes) -> M:
    """What a partner told, in a callback or an answer. Raises ValidationError for what is not of this kind, SaidTwice
    and NoJson: all of them ValueErrors."""
    content = kind.model_validate_json(told)
    check_members(told)
    return content


def _once(members: list[tuple[str, Any]]) -> dict[str, Any]:
    told = dict(members)
    if len(told) != len(members):
        raise SaidTwice
    return told
