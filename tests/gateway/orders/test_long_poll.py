"""Answers that are held back until what is waited for has come."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest

from services.gateway.orders.buyers import buyer_key
from services.gateway.orders.long_poll import LongPoll
from shared.contracts import Event
from shared.contracts.fulfillment import DeliveryFailed, DeliveryHandedOver, DeliveryRequested, KeysDelivered
from shared.contracts.order import OrderCancelled, OrderCompleted
from shared.security.sealing import Sealer
from tests.amounts import yuan
from tests.gateway.builders import Shop, line, open_shop, placed
from tests.runtime.builders import failing, statements
from tests.waiting import PATIENCE

LOOK = "LEFT OUTER JOIN deliveries"
LINES = (line(1), line(2))
CANCELLED = OrderCancelled(order_id="o1", customer="c1", reason="buyer", paid=False, lines=())
COMPLETED = OrderCompleted(order_id="o1", customer="c1", delivered=yuan(100), undelivered=yuan(0), agent=None)
Meanwhile = Callable[[], Awaitable[object]]


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    """One with the order o1 of two lines, both being delivered."""
    shop = open_shop(tmp_path)
    requested = (
        DeliveryRequested(delivery_id=f"o1/{one.line}", order_id="o1", line=one, attempt=1, buyer_key="key")
        for one in LINES
    )
    shop.backend.happen(placed("o1", "c1", lines=LINES), *requested)
    return shop


def watch(shop: Shop) -> LongPoll:
    return shop.client.app.state.context.watch


def delivered(shop: Shop, number: int) -> Event:
    envelope = Sealer(buyer_key(shop.backend.secrets, "o1"), lambda n: b"r" * n).seal('["KEY"]', f"o1/{number}")
    return KeysDelivered(
        delivery_id=f"o1/{number}", order_id="o1", line=number, sku="STEAM-50", numbers=(number,), envelope=envelope
    )


def failed(number: int) -> Event:
    return DeliveryFailed(delivery_id=f"o1/{number}", order_id="o1", line=number, sku="STEAM-50", reason="none left")


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not condition():  # noqa: ASYNC110 - of things that know no event loop
            await asyncio.sleep(0.001)


def ask(shop: Shop, path: str, meanwhile: Meanwhile, *, askers: int = 1) -> list[httpx.Response]:
    """The answers to so many who ask at once; `meanwhile` runs when all of them are held back."""

    async def together() -> list[httpx.Response]:
        transport = httpx.ASGITransport(shop.client.app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://shop.example") as client:
            asking = [
                asyncio.create_task(client.get(f"/v1/orders/o1{path}", headers=shop.customer("c1")))
                for _ in range(askers)
            ]
            await until(lambda: watch(shop).waiting == askers)
            await meanwhile()
            async with asyncio.timeout(PATIENCE):
                return await asyncio.gather(*asking)

    return asyncio.run(together())


def happening(shop: Shop, *events: Event) -> Meanwhile:
    async def happen() -> None:
        shop.backend.happen(*events)

    return happen


def test_keys_are_there_once_every_line_has_ended(shop: Shop) -> None:
    async def one_after_the_other() -> None:
        shop.backend.happen(delivered(shop, 1))
        await until(lambda: shop.backend.marks.awaited())
        assert watch(shop).waiting == 1
        shop.backend.happen(failed(2))

    [answer] = ask(shop, "/deliveries?wait=60", one_after_the_other)

    first, second = answer.json()["items"]
    assert first["keys"] == [{"number": 1, "key": "KEY"}]
    assert second["status"] == "failed"
    assert watch(shop).waiting == 0


@pytest.mark.parametrize("event", [CANCELLED, COMPLETED], ids=["cancelled", "completed"])
@pytest.mark.parametrize("path", ["", "/deliveries"])
def test_an_order_that_is_over_is_waited_for_no_longer(shop: Shop, path: str, event: Event) -> None:
    [answer] = ask(shop, f"{path}?wait=60", happening(shop, event))

    assert answer.status_code == 200
    if not path:
        assert answer.json()["status"] == ("cancelled" if event is CANCELLED else "completed")


@pytest.mark.parametrize("path", ["", "/deliveries"])
def test_what_is_over_is_answered_at_once(shop: Shop, path: str) -> None:
    shop.backend.happen(delivered(shop, 1), delivered(shop, 2), COMPLETED)

    assert shop.client.get(f"/v1/orders/o1{path}?wait=60", headers=shop.customer("c1")).status_code == 200


def test_when_the_time_is_over_there_is_what_there_is(shop: Shop) -> None:
    shop.backend.happen(DeliveryHandedOver(delivery_id="o1/1", order_id="o1", line=1, sku="STEAM-50", reason="unclear"))

    answer = shop.client.get("/v1/orders/o1/deliveries?wait=0.01", headers=shop.customer("c1"))
    assert [item["status"] for item in answer.json()["items"]] == ["handed-over", "requested"]
    assert shop.client.get("/v1/orders/o1?wait=0.01", headers=shop.customer("c1")).json()["status"] == "placed"


def test_who_may_not_see_an_order_does_not_wait_for_it(shop: Shop) -> None:
    for path in ("", "/deliveries"):
        assert shop.client.get(f"/v1/orders/o1{path}?wait=60", headers=shop.customer("c2")).status_code == 404


@pytest.mark.parametrize("wait", ["-1", "61", "nan", "inf", "soon", ""])
def test_nobody_waits_for_ever(shop: Shop, wait: str) -> None:
    for path in ("", "/deliveries"):
        answer = shop.client.get(f"/v1/orders/o1{path}?wait={wait}", headers=shop.customer("c1"))
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid-request")


def test_all_who_wait_cost_one_look_a_move(shop: Shop) -> None:
    async def move() -> None:
        with statements(shop.backend.reads) as made:
            shop.backend.happen(delivered(shop, 1))
            await until(lambda: any(LOOK in one for one in made))
            await until(shop.backend.marks.awaited)
        assert len([one for one in made if LOOK in one]) == 1
        shop.backend.happen(delivered(shop, 2))

    answers = ask(shop, "/deliveries?wait=60", move, askers=100)

    assert {answer.status_code for answer in answers} == {200}


def test_those_who_wait_learn_of_an_outage(shop: Shop) -> None:
    async def outage() -> None:
        with failing(shop.backend.reads, LOOK):
            shop.backend.happen(delivered(shop, 1))
            await until(lambda: watch(shop).waiting == 0)

    answers = ask(shop, "/deliveries?wait=60", outage, askers=2)

    assert [(answer.status_code, answer.json()["code"]) for answer in answers] == [(503, "no-database")] * 2


def test_a_server_that_ends_lets_everybody_go(shop: Shop) -> None:
    async def end() -> None:
        watch(shop).close()

    answers = ask(shop, "/deliveries?wait=60", end, askers=2)

    assert [answer.status_code for answer in answers] == [200, 200]
    assert shop.client.get("/v1/orders/o1?wait=60", headers=shop.customer("c1")).status_code == 200


def test_a_client_that_hangs_up_leaves_nothing_behind(shop: Shop) -> None:
    [(name, value)] = shop.customer("c1").items()
    scope: dict[str, Any] = {
        "type": "http", "method": "GET", "path": "/v1/orders/o1/deliveries", "query_string": b"wait=60",
        "headers": [(name.lower().encode(), value.encode())], "client": ("192.0.2.7", 4711),
    }  # fmt: skip

    async def hang_up() -> Sequence[Any]:
        hung_up, sent = asyncio.Event(), list[Any]()

        async def receive() -> dict[str, Any]:
            await hung_up.wait()
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            sent.append(message)

        asking = asyncio.create_task(shop.client.app(scope, receive, send))
        await until(lambda: watch(shop).waiting == 1)
        hung_up.set()
        async with asyncio.timeout(PATIENCE):
            await asking
        await until(lambda: not shop.backend.marks.awaited())
        return sent

    asyncio.run(hang_up())
    assert watch(shop).waiting == 0
