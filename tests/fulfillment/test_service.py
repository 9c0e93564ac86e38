"""The whole service on a real log, with real sandboxes and a clock that the test moves."""

import json
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path

import httpx
import pytest
import sqlalchemy as sa

from sandboxes.running import run_server
from sandboxes.supplier import create_supplier
from services.fulfillment.service import SERVICE
from shared.contracts.fulfillment import (
    DeliveryHandedOver,
    KeysDelivered,
    PurchasePending,
    ResolveDelivery,
    SupplierDelivered,
    SupplierStatementRecorded,
)
from shared.contracts.inventory import ReservedKey
from shared.eventstore import schema
from shared.runtime.settings import Settings, SupplierSettings
from shared.security.sealing import Opener, Sealer, keypair_from_secret
from shared.security.secrets import Secrets
from tests.fulfillment.builders import BUYER, COST, ID, asked, deliver, deliver_by, names, order_line, report, take
from tests.platform.harness import START, Harness
from tests.waiting import PATIENCE

LATE_SECONDS = 2.0
TEXTS = ("CARD-0001", "CARD-0002")


class ManualClock:
    """The time as the sandboxes see it: the harness's, once there is one."""

    harness: Harness | None = None

    def __call__(self) -> datetime:
        return self.harness.now if self.harness else START


class Shop:
    """A fulfillment service that knows the suppliers north and south."""

    def __init__(self, folder: Path, suppliers: dict[str, str], clock: ManualClock, timeout: float) -> None:
        settings = Settings(
            var=folder,
            suppliers={name: SupplierSettings(url=url, timeout_seconds=timeout) for name, url in suppliers.items()},
        )
        self.harness = clock.harness = Harness(folder, [SERVICE], settings=settings)
        self.suppliers = suppliers

    def deliver_by(self, *suppliers: str, target: str) -> None:
        command = deliver_by(*suppliers)
        line = command.line.model_copy(update={"target": target})
        self.harness.send("fulfillment", command.model_copy(update={"line": line}))

    def bought(self, supplier: str) -> int:
        accounts = httpx.get(f"{self.suppliers[supplier]}/purchases").json()
        return sum(account["bought"] for account in accounts.values())

    def happened(self) -> list[str]:
        return names(self.harness.events("fulfillment"))


@contextmanager
def opened(tmp_path: Path, timeout: float) -> Iterator[Shop]:
    secrets, clock = Secrets(tmp_path / "secrets"), ManualClock()
    with ExitStack() as stack:
        suppliers = {}
        for name in ("north", "south"):
            app = create_supplier(name, secrets.get(f"supplier-{name}"), late_seconds=LATE_SECONDS, now=clock)
            suppliers[name] = stack.enter_context(run_server(app, name))
        yield Shop(tmp_path, suppliers, clock, timeout)


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    with opened(tmp_path, PATIENCE) as shop:
        yield shop


@pytest.fixture
def hasty(tmp_path: Path) -> Iterator[Shop]:
    """A shop that has stopped waiting when a late supplier answers."""
    with opened(tmp_path, LATE_SECONDS / 2) as shop:
        yield shop


def sealed(harness: Harness, *numbers: int) -> tuple[ReservedKey, ...]:
    public = keypair_from_secret(harness.secrets.get("fulfillment-sealing")).public
    sealer = Sealer(public, os.urandom)
    return tuple(
        ReservedKey(number=number, box=sealer.seal(text, "sku-1")) for number, text in zip(numbers, TEXTS, strict=True)
    )


def test_keys_reach_their_buyer_and_no_other_place(tmp_path: Path) -> None:
    harness = Harness(tmp_path, [SERVICE])
    harness.send("fulfillment", take(keys=sealed(harness, 1, 2)))
    harness.send("fulfillment", deliver())

    [event] = harness.events("fulfillment", KeysDelivered)
    assert isinstance(event, KeysDelivered)
    assert json.loads(Opener(BUYER.private).open(event.envelope, ID)) == list(TEXTS)
    for file in tmp_path.rglob("*"):
        assert not file.is_file() or not any(text.encode() in file.read_bytes() for text in TEXTS), file


def test_a_key_sold_twice_is_delivered_once(tmp_path: Path) -> None:
    harness = Harness(tmp_path, [SERVICE])
    keys = sealed(harness, 1, 2)
    for order in ("order-1", "order-2"):
        where = {"delivery_id": f"{order}/1", "order_id": order}
        harness.send("fulfillment", take(keys=keys).model_copy(update=where))
        harness.send("fulfillment", deliver().model_copy(update=where))

    [over] = harness.events("fulfillment", DeliveryHandedOver)
    assert isinstance(over, DeliveryHandedOver)
    assert (over.delivery_id, over.reason, over.numbers) == ("order-2/1", "key already delivered", (1, 2))
    assert len(harness.events("fulfillment", KeysDelivered)) == 1


def test_two_thousand_keys_arrive_whole(tmp_path: Path) -> None:
    harness = Harness(tmp_path, [SERVICE])
    sealer = Sealer(keypair_from_secret(harness.secrets.get("fulfillment-sealing")).public, os.urandom)
    keys = tuple(ReservedKey(number=n, box=sealer.seal(f"CARD-{n}", "sku-1")) for n in range(1, 2001))
    harness.send("fulfillment", deliver(order_line(quantity=2000)))
    harness.send("fulfillment", take(keys=keys))

    [event] = harness.events("fulfillment", KeysDelivered)
    assert isinstance(event, KeysDelivered)
    assert json.loads(Opener(BUYER.private).open(event.envelope, ID)) == [f"CARD-{n}" for n in range(1, 2001)]


@pytest.mark.parametrize("target", ["failing:1", "down:1"])
def test_the_next_supplier_sells_what_the_first_did_not(shop: Shop, target: str) -> None:
    httpx.put(f"{shop.suppliers['north']}/behaviour", json={"behaviour": target.partition(":")[0]})
    shop.deliver_by("north", "south", target="13800000000")

    [delivered] = shop.harness.events("fulfillment", SupplierDelivered)
    assert isinstance(delivered, SupplierDelivered)
    assert delivered.supplier == "south"
    assert (shop.bought("north"), shop.bought("south")) == (0, 1)


def test_a_late_answer_is_looked_up_and_bought_once(hasty: Shop) -> None:
    hasty.deliver_by("north", "south", target="late:1")
    assert hasty.happened() == ["DeliveryRequested", "PurchaseRequested"]

    hasty.harness.advance(1)
    assert hasty.happened()[2:] == ["SupplierDelivered"]
    assert (hasty.bought("north"), hasty.bought("south")) == (1, 0)


def test_a_lost_callback_is_found_by_polling(shop: Shop) -> None:
    shop.deliver_by("north", target="silent:1")
    assert len(shop.harness.events("fulfillment", PurchasePending)) == 1

    shop.harness.advance(1)
    shop.harness.advance(1)
    assert shop.happened()[-1] == "SupplierDelivered"
    assert shop.bought("north") == 1


def test_a_supplier_that_stays_silent_is_left_to_a_person_and_nobody_else_sells(hasty: Shop) -> None:
    hasty.deliver_by("north", "south", target="late:1")
    httpx.put(f"{hasty.suppliers['north']}/behaviour", json={"behaviour": "down"})
    for _ in range(10):
        hasty.harness.advance(60)
    assert hasty.happened() == ["DeliveryRequested", "PurchaseRequested", "DeliveryHandedOver"]

    reply = hasty.harness.send("fulfillment", report("north", "done"))
    assert reply.outcome == "accepted"
    assert hasty.happened()[-1] == "SupplierDelivered"
    assert (hasty.bought("north"), hasty.bought("south"), hasty.harness.parked().total()) == (1, 0, 0)


def test_another_suppliers_callback_is_refused(shop: Shop) -> None:
    shop.deliver_by("north", target="silent:1")

    reply = shop.harness.send("fulfillment", report("south", "done"))
    assert (reply.outcome, reply.answer) == ("accepted", {"outcome": "refused", "reason": "wrong-supplier"})
    assert shop.happened()[-1] == "SupplierReportRefused"


def test_repeated_failures_send_the_next_purchases_elsewhere(shop: Shop) -> None:
    httpx.put(f"{shop.suppliers['north']}/behaviour", json={"behaviour": "failing"})
    line = order_line("supplier", 1, ("north", "south")).model_copy(update={"target": "13800000000"})
    for order in range(4):
        where = {"delivery_id": f"order-{order}/1", "order_id": f"order-{order}"}
        shop.harness.send("fulfillment", deliver(line).model_copy(update=where))

    requests = asked(shop.harness.events("fulfillment"))
    assert requests == ["north", "south", "north", "south", "south", "south"]
    assert (shop.bought("north"), shop.bought("south")) == (0, 4)


@pytest.mark.parametrize("answer", ["relenting", "late"], ids=["after a no", "after a person"])
def test_a_late_success_is_found_though_its_callback_is_lost(hasty: Shop, answer: str) -> None:
    hasty.deliver_by("north", target=f"{answer}:1")
    httpx.put(f"{hasty.suppliers['north']}/behaviour", json={"behaviour": "down"})
    for _ in range(10):
        hasty.harness.advance(60)
    assert hasty.happened()[-1] == "DeliveryHandedOver"
    hasty.harness.send("fulfillment", ResolveDelivery(delivery_id=ID, delivered=False, note="they say no"))

    httpx.put(f"{hasty.suppliers['north']}/behaviour", json={"behaviour": "ok"})
    for _ in range(2):
        hasty.harness.advance(3_600)

    [stated] = hasty.harness.events("fulfillment", SupplierStatementRecorded)
    assert isinstance(stated, SupplierStatementRecorded)
    assert (stated.finding, stated.bill) == ("late-success", COST)


def test_a_purchase_that_failed_is_not_looked_up_for_ever(shop: Shop) -> None:
    shop.deliver_by("north", target="failing:1")
    for _ in range(30):
        shop.harness.advance(3_600)

    with shop.harness.loops["fulfillment"].writer.engine.connect() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(schema.agenda)).scalar_one() == 0
    assert shop.happened()[-2:] == ["PurchaseFailed", "DeliveryHandedOver"]


def test_a_buyer_who_waits_gets_a_suppliers_texts_and_no_other_place_has_them(shop: Shop, tmp_path: Path) -> None:
    shop.deliver_by("north", target="")

    [delivered] = shop.harness.events("fulfillment", SupplierDelivered)
    assert isinstance(delivered, SupplierDelivered)
    texts = httpx.get(f"{shop.suppliers['north']}/purchases").json()[f"{ID}#north"]["report"]["goods"]
    assert texts
    assert json.loads(Opener(BUYER.private).open(delivered.envelope, ID)) == texts
    for file in tmp_path.rglob("*"):
        assert not file.is_file() or not any(text.encode() in file.read_bytes() for text in texts), file
