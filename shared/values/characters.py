"""Normalises and folds texts by Unicode category and property; rejects texts that hide what they say."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import Literal

Sort = Literal["seen", "unseen", "space", "break", "bidi", "control", "surrogate", "unassigned", "damaged"]

# Unicode's property Bidi_Control.
_BIDI = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
# Prepended_Concatenation_Mark: of category Cf, and visible.
_PREPENDED = frozenset("\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u0890\u0891\u08e2\U000110bd\U000110cd")
# Default_Ignorable_Code_Point as far as it is not of category Cf, reserved places included; Unicode does not change it
# for a place once given. After it, two symbols that are drawn as nothing.
_IGNORABLE = (
    (0x034F, 0x034F),
    (0x115F, 0x1160),
    (0x17B4, 0x17B5),
    (0x180B, 0x180F),
    (0x2060, 0x206F),
    (0x3164, 0x3164),
    (0xFE00, 0xFE0F),
    (0xFFA0, 0xFFA0),
    (0xFFF0, 0xFFF8),
    (0x1BCA0, 0x1BCA3),
    (0x1D173, 0x1D17A),
    (0xE0000, 0xE0FFF),
    (0x2800, 0x2800),
    (0x1D159, 0x1D159),
)
_REPLACEMENT = "\ufffd"
_TRIMMED = frozenset({"space", "break", "bidi"})

_REFUSED = {
    "break": "holds a line break",
    "bidi": "holds a character that turns the direction of the text",
    "control": "holds a control character",
    "surrogate": "holds half a character",
    "unassigned": "holds a character that Unicode gives no meaning",
    "damaged": "holds characters that were lost in a wrong encoding",
}


class NoCanonicalForm(ValueError):
    """A text has no canonical form of its kind. `reason` is for people, and repeats nothing of the text."""

    def __init__(self, kind: str, reason: str) -> None:
        super().__init__(f"{kind} {reason}")
        self.kind, self.reason = kind, reason


def folded_text(kind: str, text: str) -> str:
    """The text as it is compared: NFKC without case, several spaces as one. Raises NoCanonicalForm."""
    folded = as_written(kind, text)
    # Case folding and NFKC each undo some of the other's work, so repeat them until nothing changes.
    while (again := unicodedata.normalize("NFKC", folded.casefold())) != folded:
        folded = again
    return legible(kind, re.sub(" +", " ", folded))


def as_written(kind: str, text: str) -> str:
    """The text as people see it: NFC, no invisible characters, ordinary width and spaces, trimmed.

    Raises NoCanonicalForm for a blank text, and for one with what can't stand in a name.
    """
    seen = text
    if not (text.isascii() and text.isprintable()):
        seen = [(char, sort) for char in text if (sort := _sort(char)) != "unseen"]
        inner = [place for place, (_, sort) in enumerate(seen) if sort not in _TRIMMED]
        seen = seen[inner[0] : inner[-1] + 1] if inner else []
        for _, sort in seen:
            if sort in _REFUSED:
                raise NoCanonicalForm(kind, _REFUSED[sort])
        widths = "".join(" " if sort == "space" else _ordinary(char) for char, sort in seen)
        seen = unicodedata.normalize("NFC", widths)
    return legible(kind, seen)


def legible(kind: str, text: str) -> str:
    """The text without spaces around it. Raises NoCanonicalForm where nothing is left, or marks that stand alone."""
    seen = text.strip(" ")
    if not seen:
        raise NoCanonicalForm(kind, "is blank")
    if not any(map(_stands_alone, seen)):
        raise NoCanonicalForm(kind, "holds nothing to read")
    return seen


def readable(kind: str, text: str, *, lines: bool = True) -> str:
    """The text as it is, where people can read it: something in it is seen; with `lines` it may have lines and tabs.

    Raises NoCanonicalForm for a text with nothing to read, and for one that hides what it says.
    """
    sorts = {_sort(char) for char in text if not (lines and char in "\t\n\r")}
    for sort in ("bidi", "control", "surrogate", *(() if lines else ("break",))):
        if sort in sorts:
            raise NoCanonicalForm(kind, _REFUSED[sort])
    if not any(map(_stands_alone, text)):
        raise NoCanonicalForm(kind, "holds nothing to read")
    return text


def _stands_alone(char: str) -> bool:
    """Whether the character is visible by itself; an accent, for one, needs another character."""
    return _sort(char) == "seen" and unicodedata.category(char)[0] != "M"


@lru_cache(maxsize=10_000)
def _sort(char: str) -> Sort:
    category, point = unicodedata.category(char), ord(char)
    if char in _BIDI:
        return "bidi"
    if any(first <= point <= last for first, last in _IGNORABLE):
        return "unseen"
    if char == _REPLACEMENT:
        return "damaged"
    match category:
        case "Cf":
            return "seen" if char in _PREPENDED else "unseen"
        case "Zs":
            return "space"
        case "Zl" | "Zp":
            return "break"
        case "Cc":
            return "break" if char.isspace() else "control"
        case "Cs":
            return "surrogate"
        case "Co" | "Cn":
            return "unassigned"
        case _:
            return "seen"


@lru_cache(maxsize=10_000)
def _ordinary(char: str) -> str:
    """A character of full or half width as the ordinary one."""
    tag, _, points = unicodedata.decomposition(char).partition(" ")
    if tag not in ("<wide>", "<narrow>"):
        return char
    return "".join(chr(int(point, 16)) for point in points.split())
