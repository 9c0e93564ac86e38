"""Opens sealed texts and seals them to their reader. Texts exist in the clear only here."""

from __future__ import annotations

import json
from collections.abc import Callable

from services.fulfillment.domain.goods import GoodsOpening
from services.fulfillment.domain.keys import Opened, Opening
from shared.security.sealing import CannotOpen, Opener, Sealer, keypair_from_secret


class Vault:
    """Opens stock keys and seals them to their buyer. A text leaves the vault only in the buyer's envelope."""

    def __init__(self, secret: bytes, random_bytes: Callable[[int], bytes]) -> None:
        self._opener = Opener(keypair_from_secret(secret).private)
        self._random_bytes = random_bytes

    def reseal(self, opening: Opening) -> Opened:
        """An envelope with all the texts, a JSON list in the order of the keys; or the numbers that do not open.

        Raises ValueError, before any box is opened, when the buyer's key is invalid.
        """
        sealer = Sealer(opening.buyer_key, self._random_bytes)
        texts: list[str] = []
        unopened: list[int] = []
        for key in opening.keys:
            try:
                texts.append(self._opener.open(key.box, context=opening.sku))
            except CannotOpen:
                unopened.append(key.number)
        if unopened:
            return Opened(unopened=tuple(unopened))
        return Opened(envelope=sealer.seal(json.dumps(texts, ensure_ascii=False), context=opening.delivery_id))

    def reseal_goods(self, opening: GoodsOpening) -> str:
        """An envelope with all the texts, a JSON list in their order. Raises CannotOpen, and ValueError for an invalid
        key."""
        sealer = Sealer(opening.reader_key, self._random_bytes)
        texts = [self._opener.open(one.box, context=opening.request_id) for one in opening.goods]
        return sealer.seal(json.dumps(texts, ensure_ascii=False), context=opening.context)
