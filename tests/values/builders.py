"""Texts to be named by."""

from __future__ import annotations

from hypothesis import strategies as st

mobiles = st.from_regex(r"1[3-9][0-9]{9}", fullmatch=True).filter(str.isascii)


def wide(text: str) -> str:
    """As full-width characters."""
    return "".join(chr(ord(char) + 0xFEE0) if "!" <= char <= "~" else char for char in text)
