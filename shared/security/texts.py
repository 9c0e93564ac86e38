"""Texts of others, such as codes, sealed as soon as they are read: nothing but the owner of the key ever holds them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from shared.security.sealing import Sealer, blind_index
from shared.values import identities
from shared.values.identities import NoCanonicalForm


@dataclass(frozen=True)
class TextSealing:
    """Seals texts to a public key, beside keyed hashes that tell equal ones: those that the same texts have as card
    keys."""

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
