"""A set of texts, kept as hashes: a million of them in some tens of megabytes."""

from __future__ import annotations

import hashlib
from collections import defaultdict

_BUCKET = 2
_REST = 14


class HashSet:
    """Remembers 128-bit hashes, packed by their first two bytes."""

    def __init__(self) -> None:
        self._buckets: defaultdict[bytes, bytearray] = defaultdict(bytearray)

    def __contains__(self, text: str) -> bool:
        first, rest = self._hash(text)
        bucket = self._buckets.get(first, b"")
        place = bucket.find(rest)
        while place % _REST and place > 0:
            place = bucket.find(rest, place + 1)
        return place >= 0

    def add(self, text: str) -> None:
        """Add a text. A text that is there already takes up room once more."""
        first, rest = self._hash(text)
        self._buckets[first] += rest

    @staticmethod
    def _hash(text: str) -> tuple[bytes, bytes]:
        digest = hashlib.blake2b(text.encode(), digest_size=_BUCKET + _REST).digest()
        return digest[:_BUCKET], digest[_BUCKET:]
