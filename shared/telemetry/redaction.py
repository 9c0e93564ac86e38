"""Redacts secrets in log lines, by the name of a field and by the form of a text.

The platform's code logs no secrets. This catches libraries and mistakes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from structlog.typing import EventDict

HIDDEN = "[redacted]"
LONGEST, DEEPEST, MOST = 8_000, 6, 200
SHORT = 60

_WORDS = (
    r"passw(?:or)?d|passphrase|pwd|secret|token|credential|signature|api[_-]?key|access[_-]?key|card[_-]?key|密码|卡密"
)
_NAMES = re.compile(
    rf"{_WORDS}|authorization|cookie|private|sign(ing)?[_-]?key|card[_-]?(code|no|number)|buyer[_-]?key|webhook[_-]?key|"
    r"密钥|口令|^(keys|box|envelope|pin|otp|cvv|cvc|dsn)$",
    re.IGNORECASE,
)
_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|[0-9a-f]{16}|[0-9a-f]{32}")
# A named group is the part of a match that stays. Every repetition is bounded, or can match in one way only.
_LOOKS = re.compile(
    # user:password@ in a URL
    r"(?P<url>[a-z][a-z0-9+.-]{1,30}://[^\s:/@]{0,200}:)[^\s/]{1,500}(?=@)"
    # header: all of it
    r"|(?P<header>(?:authorization|cookie)[\"']?\s{0,3}[=:]\s{0,3}[\"']?)(?!\[redacted])[^\r\n\"']+"
    r"|(?P<scheme>\b(?:bearer|basic|digest)\s{1,3})[\w+/=.~-]{8,}"
    # name=secret, name: secret, "name": "secret"
    rf"|(?P<value>(?:{_WORDS})[\w-]{{0,30}}[\"']?\s{{0,3}}[=:]\s{{0,3}}[\"']?)(?!\[redacted])[^\s\"'&;,}}]+"
    # tokens, secrets, hashes and keys that say what they are
    r"|\beyJ[\w-]{8,}\.[\w-]{4,}(?:\.[\w-]*)?"
    r"|\b(?:whsec|sk|rk|ghp|gho|xox[abp])[_-][\w+/=-]{12,}"
    r"|\$(?:argon2\w{0,2}|2[aby]|scrypt)\$[^\s\"']+"
    r"|-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----.*?(?:-----END [A-Z ]{0,40}-----|\Z)"
    # what pydantic and SQLAlchemy repeat of the values that an error is about
    r"|(?P<input>\binput_value=).{1,2000}?(?=, input_type=)"
    r"|(?P<parameters>\[parameters: ).*?(?=\n\(Background|\Z)"
    # card keys as shops print them: three groups and more of four or five capitals and digits
    r"|(?<![\w-])(?-i:(?=[A-Z-]{0,80}\d)(?:[A-Z\d]{4}(?:-[A-Z\d]{4}){2,9}|[A-Z\d]{5}(?:-[A-Z\d]{5}){2,9}))(?![\w-])",
    re.IGNORECASE | re.DOTALL,
)


def redact(_logger: object, _method: str, line: EventDict) -> EventDict:
    """A structlog processor: the line without secrets and texts that look like secrets. Non-JSON values become text."""
    return {name: _under(name, value, 0) for name, value in line.items()}


def scrubbed(text: str) -> str:
    """A text without parts that look like secrets, cut to a limited length."""
    if len(text) > LONGEST:
        text = f"{text[:LONGEST]} … {len(text) - LONGEST} more"
    if _ID.fullmatch(text):
        return text
    return _remembered(text) if len(text) <= SHORT else _LOOKS.sub(_hide, text)


# Lines repeat the same texts, and searching them is the most expensive step.
@lru_cache(2_000)
def _remembered(text: str) -> str:
    return _LOOKS.sub(_hide, text)


@lru_cache(500)
def _names_a_secret(name: str) -> bool:
    return _NAMES.search(name) is not None


def _hide(found: re.Match[str]) -> str:
    return (found.group(found.lastgroup) if found.lastgroup else "") + HIDDEN


def _under(name: str, value: Any, depth: int) -> Any:
    if value is not None and not isinstance(value, bool) and _names_a_secret(name):
        return HIDDEN
    return _plain(value, depth)


def _plain(value: Any, depth: int) -> Any:
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, str):
        return scrubbed(value)
    if depth == DEEPEST:
        return "…"
    if isinstance(value, Mapping):
        named = ((str(name), part) for name, part in list(value.items())[:MOST])
        return {scrubbed(name): _under(name, part, depth + 1) for name, part in named}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(part, depth + 1) for part in list(value)[:MOST]]
    if isinstance(value, bytes | bytearray | memoryview):
        return f"{len(value)} bytes"
    try:
        return scrubbed(repr(value))
    except Exception as error:  # noqa: BLE001 - a failing repr must not lose the line
        return f"{type(value).__name__}, {type(error).__name__} in its repr"
