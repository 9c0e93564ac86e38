"""One text, one buyer: whether it lies in our stock, a supplier sends it, or both."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from laws import KeyOnce
from services.fulfillment.adapters.goods import goods_sealing
from services.fulfillment.adapters.supplier import Purchase, Suppliers
from services.fulfillment.service import SERVICE as FULFILLMENT
from services.gateway.imports.keys import KeySealing, Lot, ParsedKey, load_keys
from services.inventory.service import SERVICE as INVENTORY
from shared.contracts import Event
from shared.contracts.fulfillment import (
    DeliveryHandedOver,
    KeysDelivered,
    PurchaseReport,
    RecordPurchase,
    SupplierDelivered,
    SupplierReportRefused,
    SupplierStatementRecorded,
)
from shared.contracts.inventory import (
    KeysSupplied,
    KeysWithdrawn,
    ListProduct,
    LoadKeys,
    ReserveStock,
    SoldKey,
    StockShort,
)
from shared.eventstore import log_reader
from shared.eventstore.engines import open_engine
from shared.laws import LawChecker
from shared.messages.wire import MessageBody
from shared.projections.rebuild import verify
from shared.runtime.settings import Settings
from shared.security.sealing import Opener
from tests.fulfillment.builders import BUYER, COST, deliver, order_line
from tests.inventory.builders import a_listing
from tests.platform.harness import START, Harness

SKU = "sku-1"


class Shop:
    """Inventory and fulfillment. A line of `north`'s asks it for one code, a line of ours takes one key."""

    def __init__(self, folder: Path) -> None:
        self.harness = Harness(folder, [INVENTORY, FULFILLMENT], settings=Settings(var=folder))
        self.sealing = goods_sealing(self.harness.secrets, os.urandom)
        self.harness.send("inventory", ListProduct(sku=SKU, listing=a_listing(sku=SKU)))

    def keys(self, *texts: str) -> LoadKeys:
        sealing = KeySealing(self.sealing.public, self.harness.secrets.get("blind-index"), os.urandom)
        chunk = [ParsedKey(row, Lot(SKU), text, sealing.index(text)) for row, text in enumerate(texts, start=2)]
        return load_keys(chunk, sealing, "b1", dry_run=False)

    def load(self, *texts: str) -> dict[str, object]:
        return dict(self.harness.send("inventory", self.keys(*texts)).answer)

    def reserve(self, order_id: str) -> ReserveStock:
        until = START + timedelta(hours=1)
        return ReserveStock(sku=SKU, order_id=order_id, line=1, quantity=1, expires_at=until)

    def sell(self, order_id: str) -> None:
        self.harness.send("inventory", self.reserve(order_id))
        self.confirm(order_id, "keys")

    def confirm(self, order_id: str, source: str) -> str:
        line = order_line("supplier", 1, ("north",)) if source == "supplier" else order_line("keys", 1)
        where = {"delivery_id": f"{order_id}/1", "order_id": order_id}
        self.harness.send("fulfillment", deliver(line).model_copy(update=where))
        return where["delivery_id"]

    def report(self, delivery_id: str, *texts: str) -> RecordPurchase:
        report = PurchaseReport(request_id=f"{delivery_id}#north", outcome="done", cost=COST, goods=texts)
        return report.told_by("north", self.sealing.seal(report))

    def supply(self, order_id: str, *texts: str) -> None:
        self.harness.send("fulfillment", self.report(self.confirm(order_id, "supplier"), *texts))

    def all(self, kind: type[Event]) -> list[Event]:
        return [*self.harness.events("inventory", kind), *self.harness.events("fulfillment", kind)]

    def texts_given(self) -> list[str]:
        """What buyers can read."""
        given = []
        for event in self.all(KeysDelivered) + self.all(SupplierDelivered):
            assert isinstance(event, KeysDelivered | SupplierDelivered)
            given += json.loads(Opener(BUYER.private).open(event.envelope, event.delivery_id))
        return given

    @contextmanager
    def not_hearing(self) -> Iterator[None]:
        """While services commit, and nobody hears of it."""
        kept: list[tuple[str, MessageBody]] = []
        network = self.harness.network
        publish, network.publish = network.publish, lambda *sent: kept.append(sent)  # type: ignore[method-assign]
        yield
        network.publish = publish  # type: ignore[method-assign]
        for exchange, body in kept:
            publish(exchange, body)
        self.harness.drain()

    def check(self) -> None:
        """The law holds, nothing is parked, and the tables come out the same from the logs."""
        watch = LawChecker([KeyOnce])
        urls = {name: f"sqlite:///{self.harness.folder / name}.sqlite3" for name in self.harness.loops}
        engines = {name: open_engine(url, writer=False) for name, url in urls.items()}
        for name in engines:
            for recorded in log_reader.read_all(engines[name], name):
                watch.saw(recorded)
        assert [finding.violations for finding in watch.findings(drained=True)] == [()]
        assert not self.harness.parked()
        for service in (INVENTORY, FULFILLMENT):
            foreign_events = frozenset(event.__name__ for event in service.foreign_events)
            logs = {**engines, "order": engines["inventory"]}  # nothing was applied of order's
            assert verify(
                service.name,
                service.projection,
                foreign_events,
                {},
                logs,
                plans=service.plans,
                now=datetime.now(UTC),
            ).ok


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shop:
    def works_on_it(self: Suppliers, purchase: Purchase, attempt: int) -> RecordPurchase:
        return RecordPurchase(delivery_id=purchase.delivery_id, supplier=purchase.supplier, outcome="pending")

    monkeypatch.setattr(Suppliers, "purchase", works_on_it)
    return Shop(tmp_path)


@pytest.mark.parametrize("again", ["CODE-1", "ＣＯＤＥ-１", "CODE\u200b-1 "], ids=ascii)
def test_a_supplier_sends_a_key_that_lies_in_our_stock(shop: Shop, again: str) -> None:
    shop.load("CODE-1")
    shop.supply("order-1", again)

    assert shop.texts_given() == []
    [statement], [over] = shop.all(SupplierStatementRecorded), shop.all(DeliveryHandedOver)
    assert isinstance(statement, SupplierStatementRecorded)
    assert isinstance(over, DeliveryHandedOver)
    assert statement.finding == "doubtful-goods"
    assert statement.doubt == over.reason == "the supplier sent 1 texts of the shop's own stock"
    assert len(shop.all(KeysWithdrawn)) == 1
    shop.sell("order-2")
    assert len(shop.all(StockShort)) == 1
    shop.check()


def test_a_supplier_sends_a_key_that_we_have_sold(shop: Shop) -> None:
    shop.load("CODE-1")
    shop.sell("order-1")
    shop.supply("order-2", "CODE-1")

    assert shop.texts_given() == ["CODE-1"]
    [supplied] = shop.all(KeysSupplied)
    assert isinstance(supplied, KeysSupplied)
    assert (supplied.given, supplied.sold) == (False, (SoldKey(number=1, order_id="order-1"),))
    assert shop.all(KeysWithdrawn) == []
    shop.check()


def test_an_import_leaves_out_what_a_supplier_has_delivered(shop: Shop) -> None:
    shop.supply("order-1", "CODE-1")

    assert shop.load("CODE-0", " CODE-1", "CODE-2") == {"loaded": 2, "duplicates": [1], "supplied": [1]}
    assert shop.texts_given() == ["CODE-1"]
    shop.check()


def test_a_key_that_is_loaded_and_delivered_in_one_moment_goes_to_one_buyer(shop: Shop) -> None:
    """Neither service has heard of the other: the key is in stock, reserved even, when its text is with a buyer."""
    first = shop.confirm("order-1", "supplier")
    with shop.not_hearing():
        shop.harness.send("inventory", shop.keys("CODE-1", "CODE-2"), drain=False)
        shop.harness.send("inventory", shop.reserve("order-2"), drain=False)
        shop.harness.send("fulfillment", shop.report(first, "CODE-1"), drain=False)
    second = shop.confirm("order-2", "keys")

    assert shop.texts_given() == ["CODE-1"]
    [over] = shop.all(DeliveryHandedOver)
    assert isinstance(over, DeliveryHandedOver)
    assert (over.delivery_id, over.numbers, over.reason) == (second, (1,), "a supplier sent the text of the key")
    [supplied] = shop.all(KeysSupplied)
    assert isinstance(supplied, KeysSupplied)
    assert (supplied.given, supplied.numbers) == (True, (1,))
    shop.sell("order-3")
    assert shop.texts_given() == ["CODE-2", "CODE-1"]
    shop.check()


def test_a_key_that_is_for_sale_when_its_text_is_delivered_is_withdrawn(shop: Shop) -> None:
    first = shop.confirm("order-1", "supplier")
    with shop.not_hearing():
        shop.harness.send("inventory", shop.keys("CODE-1"), drain=False)
        shop.harness.send("fulfillment", shop.report(first, "CODE-1"), drain=False)

    assert shop.texts_given() == ["CODE-1"]
    assert len(shop.all(KeysWithdrawn)) == 1
    shop.sell("order-2")
    assert len(shop.all(StockShort)) == 1
    shop.check()


def test_a_top_up_does_not_concern_inventory(shop: Shop) -> None:
    shop.supply("order-1")
    shop.supply("order-2", "CODE-1")

    log_of_it = log_reader.read_all(shop.harness.loops["fulfillment"].writer.engine, "fulfillment")
    delivered = [recorded for recorded in log_of_it if recorded.name == SupplierDelivered.__name__]
    assert [shop.harness.loops["inventory"].writer.is_relevant(recorded) for recorded in delivered] == [False, True]


def test_texts_that_nobody_asked_for_are_kept_sealed_and_known(shop: Shop) -> None:
    shop.load("CODE-1", "CODE-2")
    made_up = shop.report("made-up/1", "CODE-1", "CODE-3")
    shop.harness.send("fulfillment", made_up)
    shop.harness.send("fulfillment", shop.report("made-up/1", "CODE-1", "CODE-3"))

    [refused] = shop.all(SupplierReportRefused)
    assert isinstance(refused, SupplierReportRefused)
    assert refused.goods == made_up.goods
    assert shop.load("CODE-3") == {"loaded": 0, "duplicates": [0], "supplied": [0]}
    [withdrawn] = shop.all(KeysWithdrawn)
    assert withdrawn == KeysWithdrawn(sku=SKU, numbers=(1,))
    shop.supply("order-1", "CODE-3")
    assert shop.texts_given() == []
    shop.check()
