"""Seals the texts that suppliers deliver as soon as they are read, so that they are stored nowhere in the clear."""

from __future__ import annotations

from collections.abc import Callable

from shared.contracts.fulfillment import PurchaseReport
from shared.contracts.inventory import SealedKey
from shared.security.sealing import keypair_from_secret
from shared.security.secrets import Secrets
from shared.security.texts import TextSealing


class GoodsSealing(TextSealing):
    """Seals a report's texts to fulfillment's public key, bound to their purchase."""

    def seal(self, report: PurchaseReport) -> tuple[SealedKey, ...]:
        pairs = self.sealed(report.goods, report.request_id)
        return tuple(SealedKey(index=index, box=box) for index, box in pairs)


def goods_sealing(secrets: Secrets, random_bytes: Callable[[int], bytes]) -> GoodsSealing:
    """The sealing of whoever has these secrets."""
    public = keypair_from_secret(secrets.get("fulfillment-sealing")).public
    return GoodsSealing(public, secrets.get("blind-index"), random_bytes)
