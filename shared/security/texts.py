"""Seals suppliers' texts, such as codes, as soon as they are read, so that only the key's owner can read them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from shared.security.sealing import Sealer, blind_index
from shared.values import identities
from shared.values.identities import NoCanonicalForm


@dataclass(frozen=True)
class TextSealing:
    """Seals texts to a public key, and makes keyed hashes that find equal texts: the same hashes as for card keys."""

    public: str
    index_key: bytes = field(repr=False)
    random_bytes: Callable[[int], bytes] = field(repr=False)

    def sealed(self, texts: Iterable[str], context: str) -> list[tuple[str, str]]:
        """The hash and the box of each text; a box opens for the same context only.

        A text that can be no card key, such as a blank one, is kept as it came, with an empty hash.
        """
        sealer = Sealer(self.public, self.random_bytes)
        return [self._sealed(sealer, text, context) for text in texts]

    def _sealed(self, sealer: Sealer, text: str, context: str) -> tuple[str, str]:
        try:
            key = identities.card_key(text)
        except NoCanonicalForm:
            return "", sealer.seal(text, context)
        return blind_index(self.index_key, key), sealer.seal(key, context)
