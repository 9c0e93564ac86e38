"""The law NoPlaintext: planted secret texts appear nowhere, in no encoding."""

from __future__ import annotations

import json
from base64 import b16encode, b32encode, b64encode, urlsafe_b64encode
from collections.abc import Iterable
from urllib.parse import quote

from shared.laws.finding import Finding, finding

SHORTEST = 12


def no_plaintext(plain: Iterable[str], haystacks: Iterable[tuple[str, bytes]]) -> Finding:
    """NoPlaintext: none of the texts is in any of the named bytes. A violation names the text's index in `plain`, from
    0, never the text.

    Raises ValueError for a text shorter than SHORTEST, which might be found by chance.
    """
    wanted = [(number, how, form) for number, text in enumerate(plain) for how, form in disguises(text).items()]
    checked, broken = 0, []
    for name, content in haystacks:
        checked += 1
        broken += [f"text {number} is in {name}: {how}" for number, how, form in wanted if form in content]
    return finding("NoPlaintext", checked, broken)


def disguises(text: str) -> dict[str, bytes]:
    """The encodings in which a text might be found. Raises ValueError for a short text."""
    if len(text) < SHORTEST:
        raise ValueError(f"a text of {len(text)} characters is too short to look for")
    raw = text.encode()
    forms = {
        "plain": raw,
        "JSON": json.dumps(text)[1:-1].encode(),
        "URL": quote(text).encode(),
        "utf-16": text.encode("utf-16-le"),
        "utf-16, swapped": text.encode("utf-16-be"),
        "reversed": raw[::-1],
        "hex": raw.hex().encode(),
        "HEX": b16encode(raw),
        "base32": b32encode(raw).rstrip(b"=")[:-2],
        **{f"base64 at {shift}": _inner(b64encode(bytes(shift) + raw), shift) for shift in range(3)},
        **{f"url base64 at {shift}": _inner(urlsafe_b64encode(bytes(shift) + raw), shift) for shift in range(3)},
    }
    return {how: form for form, how in {form: how for how, form in reversed(forms.items())}.items()}


def _inner(encoded: bytes, shift: int) -> bytes:
    """The part of a base64 text that does not depend on the bytes before and after it."""
    return encoded.rstrip(b"=")[0 if shift == 0 else 4 : -4]
