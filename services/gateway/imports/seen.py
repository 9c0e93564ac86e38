"""Texts seen before, a million of them in some tens of megabytes."""

from __future__ import annotations

import hashlib
from collections import defaultdict

_BUCKET = 2
_REST = 14


class Seen:
    """Remembers 128-bit hashes, packed by their first two bytes."""

    def __init__(self) -> None:
        self._buckets: defaultdict[bytes, bytearray] = defaultdict(bytearray)

    def __contains__(self, text: str) -> bool:
        bucket, rest = self._place(text)
        return self._has(bucket, rest)

    def add(self, text: str) -> bool:
        """Remember a text; False when it was there already."""
        bucket, rest = self._place(text)
        if self._has(bucket, rest):
            return False
        bucket += rest
        return True

    def _place(self, text: str) -> tuple[bytearray, bytes]:
        digest = hashlib.blake2b(text.encode(), digest_size=_BUCKET + _REST).digest()
        return self._buckets[digest[:_BUCKET]], digest[_BUCKET:]

    @staticmethod
    def _has(bucket: bytearray, rest: bytes) -> bool:
        place = bucket.find(rest)
        while place % _REST and place > 0:
            place = bucket.find(rest, place + 1)
        return place >= 0
