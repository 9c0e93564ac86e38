"""Orders of these tests: placed over HTTP, and delivered."""

from __future__ import annotations

from typing import Any

from services.gateway.orders.buyers import buyer_key
from shared.contracts import fulfillment as ff
from shared.contracts import risk as r
from shared.contracts.order import ScreeningRecorded
from shared.security.sealing import Sealer
from tests.amounts import yuan
from tests.gateway.builders import Shop, line, placed

WISHES = [{"sku": "STEAM-50", "quantity": 2}]
GUEST_KEY = "6f1c0ad0-6f3b-4a60-9d3e-1f0c3b1b7a11"


def place(shop: Shop, headers: dict[str, str], key: str = "k1", **body: Any) -> Any:
    return shop.client.post("/v1/orders", json={"wishes": WISHES, **body}, headers={"Idempotency-Key": key, **headers})


def deliver(shop: Shop) -> None:
    envelope = Sealer(buyer_key(shop.backend.secrets, "o1"), lambda n: b"r" * n).seal('["KEY-A", "KEY-B"]', "o1/1")
    shop.backend.happen(
        placed("o1", "c1", lines=(line(quantity=2),)),
        r.CaseOpened(order_id="o1", amount=yuan(100), reasons=("velocity",)),
        ScreeningRecorded(order_id="o1", decision="review", reasons=("velocity",)),
        ff.DeliveryRequested(delivery_id="o1/1", order_id="o1", line=line(quantity=2), attempt=1, buyer_key="key"),
        ff.KeysDelivered(delivery_id="o1/1", order_id="o1", line=1, sku="STEAM-50", numbers=(4, 9), envelope=envelope),
        actor="staff:anna",
    )
