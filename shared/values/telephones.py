"""Canonical forms of telephone numbers, however people write them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

from shared.values.characters import NoCanonicalForm, folded_text

_MAINLAND_CODE = "86"
_MOBILE = re.compile(r"(?:86|0)?(1[3-9][0-9]{9})")
_SEPARATORS = re.compile(r"[ ().·•‧∙/]")
# In the outline of a text, where `x` is a letter and `#` is neither letter nor digit: the codes, the mobile number, and
# an extension.
_WITHIN = re.compile(r"[x#]*((?:8#*6|0|#)*)(1#*[3-9](?:#*[0-9]){9})(?:[x#]+[0-9]{1,5})?[x#]*")
_CHINESE_DIGIT = re.compile("[一二三四五六七八九]")
_CIRCLES = str.maketrans("○◯", "〇〇")  # written for a zero among Chinese numerals
# Every place in an outline where a mobile number begins; in one that keeps each `+`, where a number with its country's
# code does.
_EACH_MOBILE = re.compile(r"(?=(1#*[3-9](?:#*[0-9]){9}))")
_EACH_WRITTEN_OUT = re.compile(r"(?=(?:\+|(?<![0-9])0#*0)#*([1-9](?:#*[0-9]){7,14}))")
FEWEST_DIGITS = 8  # of a number with its country's code
MOST_LETTERS = 6  # around a mobile number: `phone`, `mobile`, `ext`


def phone(text: str) -> str:
    """A telephone number in E.164, `+` and 8 to 15 digits.

    Separators, `(0)`, `00` for `+`, and digits of any script are understood. A number without country code is taken
    only when it can be nothing but a mobile number of mainland China.
    """
    folded = folded_text("phone", text).removeprefix("tel:")
    is_written_out = re.match(r"[ (]*(\+|00)", folded) is not None
    if is_written_out:
        folded = folded.replace("(0)", "")
    compact = _compact(folded)
    if not re.fullmatch(r"\+?[0-9]+", compact):
        raise NoCanonicalForm("phone", "is not a number")
    if compact.startswith(("+", "00")):
        digits = compact.lstrip("+").removeprefix("00")
        number = _MAINLAND_CODE + _national(digits[2:]) if digits.startswith(_MAINLAND_CODE) else digits
    elif mobile := _MOBILE.fullmatch(compact):
        number = _MAINLAND_CODE + mobile[1]
    else:
        raise NoCanonicalForm("phone", "has no country code")
    if not re.fullmatch(r"[1-9][0-9]{7,14}", number):
        raise NoCanonicalForm("phone", "has a wrong number of digits, or no country code")
    return f"+{number}"


def dialled(text: str) -> str:
    """A telephone number as top-up services write it. Raises NoCanonicalForm."""
    number = phone(text)
    mainland = re.fullmatch(r"\+86(1[3-9][0-9]{9})", number)
    return mainland[1] if mainland else number


def is_certain(folded: str) -> bool:
    """Whether a text that `phone` understands can be nothing but a telephone number."""
    written_out = re.match(r"tel:|[ (]*(\+|0086|(86|0)[^0-9])", folded)
    return written_out is not None or re.fullmatch(r"1[3-9][0-9]{9}", _compact(folded)) is not None


def mobile_within(folded: str) -> str:
    """The one mobile number of mainland China in a text that holds little else.

    Punctuation, symbols, marks and spaces are no part of a number, and numerals of any script are digits. Raises
    NoCanonicalForm for a text with more letters around, with letters between, or with another country's code.
    """
    if _CHINESE_DIGIT.search(folded):
        folded = folded.translate(_CIRCLES)
    outline = "".join(map(_outlined, folded))
    found = _WITHIN.fullmatch(outline)
    if found is None or outline.count("x") > MOST_LETTERS:
        raise NoCanonicalForm("phone", "is not a number")
    code = found[1].replace("#", "")
    if "+" in folded[: found.start(2)] and _MAINLAND_CODE not in code:
        raise NoCanonicalForm("phone", "is another country's number")
    return found[2].replace("#", "")


def numbers_within(text: str) -> Iterator[str]:
    """Every telephone number that can be read in a text, as `dialled` writes it: those of mainland China's mobile
    networks anywhere, others after `+` or `00`.

    Where digits run on, each number that begins among them is one of these.
    """
    if _CHINESE_DIGIT.search(text):
        text = text.translate(_CIRCLES)
    text = text.replace("(0)", "")
    outline = "".join(map(_outlined, text))
    for found in _EACH_MOBILE.finditer(outline):
        yield found[1].replace("#", "")
    marked = "".join("+" if char == "+" else mark for char, mark in zip(text, outline, strict=True))
    for found in _EACH_WRITTEN_OUT.finditer(marked):
        digits = found[1].replace("#", "")
        for length in range(FEWEST_DIGITS, len(digits) + 1):
            try:
                yield dialled(f"+{digits[:length]}")
            except NoCanonicalForm:
                continue


def digits_alone(folded: str) -> str:
    """The digits of a text without letters; a telephone number where a `+` is before them. Raises NoCanonicalForm."""
    kept = [char for char in folded if char.isalnum()]
    if not kept or not all(char.isdecimal() for char in kept):
        raise NoCanonicalForm("number", "is not a number")
    digits = "".join(str(unicodedata.decimal(char)) for char in kept)
    if "+" in folded[: folded.index(kept[0])]:
        try:
            return dialled(f"+{digits}")
        except NoCanonicalForm:
            return digits
    return digits


def _outlined(char: str) -> str:
    if (value := unicodedata.numeric(char, None)) is not None:
        return str(int(value)) if value in range(10) else "x"
    return "x" if unicodedata.category(char)[0] in "LN" else "#"


def _compact(folded: str) -> str:
    """A number without what is written between its digits, and these in ASCII."""
    return "".join(
        str(unicodedata.decimal(char)) if char.isdecimal() else char
        for char in _SEPARATORS.sub("", folded)
        if unicodedata.category(char) != "Pd" and char != "\u2212"
    )


def _national(digits: str) -> str:
    """A number within mainland China without its trunk code; none begins as a mobile number and has other digits."""
    if mobile := _MOBILE.fullmatch(digits):
        return mobile[1]
    national = digits.removeprefix("0")
    if re.match(r"(86)?0?1[3-9]", national):
        raise NoCanonicalForm("phone", "has a wrong number of digits")
    return national
