"""NoPlaintext."""

from __future__ import annotations

import json
from base64 import b16encode, b32encode, b64encode, urlsafe_b64encode
from collections.abc import Callable
from urllib.parse import quote

import pytest

from shared.laws import no_plaintext
from shared.laws.plaintext import disguises

KEY = "Vq7-Sold/Zx1?Kp4mN2+wTyB8h"
CHINESE = "卡密：甲乙丙丁戊己庚辛壬癸"

WAYS: dict[str, Callable[[str], bytes]] = {
    "plain": str.encode,
    "base64": lambda text: b64encode(text.encode()),
    "base64, one byte on": lambda text: b64encode(b"?" + text.encode() + b"!!"),
    "base64, two bytes on": lambda text: b64encode(b"??" + text.encode() + b"!"),
    "URL-safe base64": lambda text: urlsafe_b64encode(b"?" + text.encode()),
    "hex": lambda text: text.encode().hex().encode(),
    "HEX": lambda text: b16encode(text.encode()),
    "base32": lambda text: b32encode(text.encode()),
    "utf-16": lambda text: text.encode("utf-16"),
    "reversed": lambda text: text.encode()[::-1],
    "JSON": lambda text: json.dumps({"key": text}).encode(),
    "URL": lambda text: quote(text).encode(),
}


@pytest.mark.parametrize("text", [KEY, CHINESE])
@pytest.mark.parametrize("way", WAYS)
def test_a_planted_text_is_found_and_not_repeated(text: str, way: str) -> None:
    content = b"before " + WAYS[way](text) + b" behind"

    found = no_plaintext(["nowhere to be found", text], [("order.sqlite3", b"sealed"), ("printed", content)])

    assert not found.ok
    assert found.checked == 2
    assert all(said.startswith("text 1 is in printed: ") for said in found.violations)
    assert text not in str(found)


def test_bytes_without_it_are_clean() -> None:
    found = no_plaintext([KEY, CHINESE], [("a", b64encode(bytes(range(256)))), ("b", KEY[:-1].encode())])

    assert (found.ok, found.checked) == (True, 2)


def test_every_disguise_is_too_long_for_chance() -> None:
    assert all(len(form) >= 8 for form in disguises("x" * 12).values())
    with pytest.raises(ValueError, match="too short"):
        no_plaintext(["short"], [])
