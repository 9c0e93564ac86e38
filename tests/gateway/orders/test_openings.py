"""Who opened the keys of an order is recorded, and can be seen."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from services.gateway.orders.buyers import order_secret
from services.gateway.orders.domain import OpeningState, decide_opening, evolve_opening
from shared.contracts import DecisionContext, Metadata
from shared.contracts.gateway import DeliveriesOpened, RecordOpening
from shared.contracts.order import CancelOrder
from tests.gateway.builders import NOW, Shop, open_shop
from tests.gateway.orders.builders import deliver

ASKED = RecordOpening(order_id="o1", shown="keys", address="192.0.2.7")


def given(seconds: float = 0, actor: str = "customer:c1") -> DecisionContext:
    meta = Metadata(correlation_id="o1", causation_id="c", actor=actor)
    return DecisionContext(NOW + timedelta(seconds=seconds), "c", meta)


def opened(*commands: tuple[RecordOpening, DecisionContext]) -> list[DeliveriesOpened]:
    state, events = OpeningState(), []
    for command, at in commands:
        for event in decide_opening(command, state, at):
            state = evolve_opening(state, event)
            events.append(event)
    return events


def test_an_opening_says_who_when_from_where_and_what_was_shown() -> None:
    (event,) = opened((ASKED, given()))
    assert event == DeliveriesOpened(order_id="o1", shown="keys", address="192.0.2.7", by="customer:c1", at=NOW)


def test_reading_on_is_the_same_opening_and_anything_else_is_another() -> None:
    elsewhere = ASKED.model_copy(update={"address": "192.0.2.8"})
    numbers = ASKED.model_copy(update={"shown": "numbers"})
    commands = [
        (ASKED, given(0)), (ASKED, given(59)), (elsewhere, given(59)), (ASKED, given(59, "guest")),
        (numbers, given(59)), (ASKED, given(60)), (ASKED, given(30)),
    ]  # fmt: skip
    events = opened(*commands)
    assert [(event.by, event.address, event.shown) for event in events] == [
        ("customer:c1", "192.0.2.7", "keys"),
        ("customer:c1", "192.0.2.8", "keys"),
        ("guest", "192.0.2.7", "keys"),
        ("customer:c1", "192.0.2.7", "numbers"),
        ("customer:c1", "192.0.2.7", "keys"),
        ("customer:c1", "192.0.2.7", "keys"),
    ]


def test_many_readers_do_not_make_the_state_grow() -> None:
    readers = [(ASKED.model_copy(update={"address": f"192.0.2.{number}"}), given(number)) for number in range(50)]
    assert len(opened(*readers)) == 50
    state = OpeningState()
    for event in opened(*readers):
        state = evolve_opening(state, event)
    assert len(state.last) == 20


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    shop = open_shop(tmp_path)
    shop.backend.then[RecordOpening] = lambda c: [
        DeliveriesOpened(**c.model_dump(), by=shop.backend.sent[-1].meta.actor, at=shop.clock.now)
    ]
    return shop


def openings(shop: Shop, headers: dict[str, str]) -> list[tuple[Any, ...]]:
    items = shop.client.get("/v1/orders/o1/history", headers=headers).json()["items"]
    return [
        (item["actor"], item["summary"]["shown"], item["summary"]["address"])
        for item in items
        if item["event"] == "DeliveriesOpened"
    ]


def test_every_way_to_the_keys_is_recorded_before_they_are_shown(shop: Shop) -> None:
    deliver(shop)
    secret = {"Order-Secret": order_secret(shop.backend.secrets, "o1")}
    for headers in (shop.customer("c1"), secret, shop.staff("support")):
        assert shop.client.get("/v1/orders/o1/deliveries", headers=headers).status_code == 200
    seen = [("customer:c1", "keys"), ("guest", "keys"), ("staff:support-1", "numbers")]
    assert openings(shop, shop.staff("support")) == [(actor, shown, "192.0.2.7") for actor, shown in seen]
    buyers = [("customer", "keys"), ("guest", "keys"), ("staff", "numbers")]
    assert openings(shop, secret) == [(actor, shown, "192.0.2.7") for actor, shown in buyers]


def test_staff_who_hold_the_secret_open_keys_by_their_own_name(shop: Shop) -> None:
    deliver(shop)
    secret = {"Order-Secret": order_secret(shop.backend.secrets, "o1")}
    answer = shop.client.get("/v1/orders/o1/deliveries", headers={**shop.staff("support"), **secret})
    assert "KEY-A" in answer.text
    assert openings(shop, shop.staff("support")) == [("staff:support-1", "keys", "192.0.2.7")]


@pytest.mark.parametrize("path", ["", "/history", "/deliveries"])
def test_a_secret_lends_staff_no_permission(shop: Shop, path: str) -> None:
    deliver(shop)
    secret = {"Order-Secret": order_secret(shop.backend.secrets, "o1")}
    before = len(shop.backend.sent)
    answer = shop.client.get(f"/v1/orders/o1{path}", headers={**shop.staff("subscriber"), **secret})
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
    cancelled = shop.client.post("/v1/orders/o1/cancel", json={}, headers={**shop.staff("finance"), **secret})
    assert (cancelled.status_code, cancelled.json()["code"]) == (403, "forbidden")
    assert len(shop.backend.sent) == before


def test_staff_who_hold_the_secret_cancel_as_staff(shop: Shop) -> None:
    deliver(shop)
    secret = {"Order-Secret": order_secret(shop.backend.secrets, "o1")}
    shop.client.post("/v1/orders/o1/cancel", json={}, headers={**shop.staff("support"), **secret})
    command = shop.backend.last
    assert isinstance(command, CancelOrder)
    assert command.by == "staff"


def test_no_keys_are_shown_that_can_not_be_recorded(shop: Shop) -> None:
    deliver(shop)
    shop.backend.answers[RecordOpening] = TimeoutError()
    answer = shop.client.get("/v1/orders/o1/deliveries", headers=shop.customer("c1"))
    assert (answer.status_code, "keys" in answer.text) == (504, False)
