"""Texts that suppliers deliver, sealed to fulfillment as soon as they are read: nothing else ever holds them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from shared.contracts.fulfillment import PurchaseReport
from shared.contracts.inventory import SealedKey
from shared.security.sealing import Sealer, blind_index, keypair_from_secret
from shared.security.secrets import Secrets
from shared.values import identities
from shared.values.identities import NoCanonicalForm


@dataclass(frozen=True)
class GoodsSealing:
    """Seals a report's texts to fulfillment's public key, bound to their purchase, beside keyed hashes that tell equal
    ones: those that the same texts have as keys of our stock."""

    public: str
    index_key: bytes = field(repr=False)
    random_bytes: Callable[[int], bytes] = field(repr=False)

    def seal(self, report: PurchaseReport) -> tuple[SealedKey, ...]:
        if not report.goods:
            return ()
        sealer = Sealer(self.public, self.random_bytes)
        return tuple(self._sealed(sealer, text, report.request_id) for text in report.goods)

    def _sealed(self, sealer: Sealer, text: str, request_id: str) -> SealedKey:
        """A text that can be no key, such as a blank one, is kept as it came, with an empty hash."""
        try:
            key = identities.card_key(text)
        except NoCanonicalForm:
            return SealedKey(index="", box=sealer.seal(text, request_id))
        return SealedKey(index=blind_index(self.index_key, key), box=sealer.seal(key, request_id))


def goods_sealing(secrets: Secrets, random_bytes: Callable[[int], bytes]) -> GoodsSealing:
    """The sealing of whoever has these secrets."""
    public = keypair_from_secret(secrets.get("fulfillment-sealing")).public
    return GoodsSealing(public, secrets.get("blind-index"), random_bytes)
