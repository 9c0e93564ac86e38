"""Products and their keys, as staff imports them."""

from __future__ import annotations

from collections.abc import Sequence

from services.gateway.imports.keys import KeySealing, Lot, ParsedKey, load_keys
from shared.contracts import Money
from shared.contracts.inventory import Listing, ListProduct, LoadKeys
from shared.runtime.simulated.luck import Luck
from shared.security.sealing import keypair_from_secret
from tests.simulation.scenario import Sku
from tests.simulation.scene import Scene

IMPORTER = "staff:operations"
ORDER_LIMIT = 5
MORE_AFTER, SUPPLIED_AFTER = 120.0, 200.0


class Stock:
    """Lists every SKU, then loads its keys. `texts` are all keys in the clear: they may turn up nowhere."""

    def __init__(self, scene: Scene, skus: Sequence[Sku], luck: Luck) -> None:
        self._scene, self._skus, self._luck, self._others = scene, skus, luck, luck.fork("others' keys")
        secrets = scene.host.secrets
        public = keypair_from_secret(secrets.get("fulfillment-sealing")).public
        self._sealing = KeySealing(public, secrets.get("blind-index"), luck.fork("sealing").randbytes)
        self.texts: list[str] = []

    def open(self) -> None:
        """Begin with the import; keys follow as soon as their product is listed."""
        for sku in self._skus:
            self._scene.later(self._luck.uniform(0, 3), lambda sku=sku: self.list_product(sku))

    def list_product(self, sku: Sku) -> None:
        """List it, and load its keys when that is answered."""
        listing = Listing(
            sku=sku.name,
            name=f"Product {sku.name}",
            kind="card-key" if sku.source == "keys" else "top-up",
            source=sku.source,
            price=Money(amount=sku.price),
            suppliers=sku.suppliers,
            per_order_limit=ORDER_LIMIT,
            low_stock_threshold=1 if sku.source == "keys" else 0,
        )
        command = ListProduct(sku=sku.name, listing=listing)
        self._scene.requests.send(f"list-{sku.name}", command, IMPORTER, lambda reply: self._load_all(sku))

    def _load_all(self, sku: Sku) -> None:
        if not sku.keys:
            return
        first = self.load(f"load-{sku.name}-1", sku, sku.keys)
        if sku.more:
            again = [*first, *self._texts(sku.more)]
            self._scene.later(MORE_AFTER, lambda: self._send(f"load-{sku.name}-2", sku, again))
        self._scene.later(SUPPLIED_AFTER, lambda: self._load_supplied(sku))

    def _load_supplied(self, sku: Sku) -> None:
        """Load a text that a supplier delivers."""
        partners = self._scene.partners
        texts = [text for supplier in partners.suppliers.values() for text in supplier.texts]
        if texts and partners.whims.strike("supplied_keys"):
            self._send(f"load-{sku.name}-3", sku, [self._others.choice(texts)])

    def load(self, id_: str, sku: Sku, new: int, again: Sequence[str] = ()) -> list[str]:
        """Load so many `new` keys after some that are known. The texts of all of them."""
        texts = [*again, *self._texts(new)]
        self._send(id_, sku, texts)
        return texts

    def _texts(self, count: int) -> list[str]:
        texts = [f"KEY-{self._luck.getrandbits(64):016X}" for _ in range(count)]
        self.texts += texts
        return texts

    def _send(self, id_: str, sku: Sku, texts: Sequence[str]) -> None:
        self._scene.requests.send(id_, self._sealed(id_, sku, texts), IMPORTER)

    def _sealed(self, batch: str, sku: Sku, texts: Sequence[str]) -> LoadKeys:
        lot = Lot(sku.name, cost=Money(amount=sku.price // 2))
        chunk = [ParsedKey(row, lot, text, self._sealing.index(text)) for row, text in enumerate(texts, start=2)]
        return load_keys(chunk, self._sealing, batch, dry_run=False)
