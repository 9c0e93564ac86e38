"""Orders that are wrong in what they say or in how they are sent change nothing."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from typing import Any
from uuid import uuid4

import pytest

from demo.shop import Answer, answer_of, until
from tests.acceptance.bad_input.shop import CARD, DOLLARS, TOP_UP, WISH, Shop, problem

MEGABYTES = 10 * 1024 * 1024


def _order(**more: Any) -> dict[str, Any]:
    return {"wishes": [WISH], **more}


def _wish(**more: Any) -> dict[str, Any]:
    return {"wishes": [{**WISH, **more}]}


QUANTITIES = (
    "-1",
    "0",
    "10001",
    "1000000000000000000000",
    "1.5",
    "1.0",
    '"1"',
    "true",
    "null",
    "[1]",
    "{}",
    "NaN",
    "1e999",
)


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("quantity", QUANTITIES)
def test_a_quantity_is_a_positive_whole_number(shop: Shop, quantity: str) -> None:
    problem(shop.place(f'{{"wishes": [{{"sku": "{CARD}", "quantity": {quantity}}}]}}'.encode()))


ORDERS = [
    _wish(price=1),
    _wish(unit_price={"amount": 1, "currency": "CNY"}),
    _wish(amount=1),
    _order(total=1),
    _order(total={"amount": 1, "currency": "CNY"}),
    _order(lines=[]),
    _order(buyer_key="x"),
    _order(expected_total={"amount": -1000}),
    _order(expected_total={"amount": 1000.0}),
    _order(expected_total={"amount": 1000, "currency": "cny"}),
    _order(expected_total=1000),
    _wish(sku=5),
    _wish(sku=""),
    _wish(sku=None),
    _wish(sku="x" * 81),
    _wish(sku="a b"),
    _wish(sku="'; DROP TABLE orders; --"),
    _wish(target=5),
    _wish(target="a\x00b"),
    _wish(target="x" * 201),
    {"wishes": [{"sku": TOP_UP, "quantity": 1}]},
    {"wishes": []},
    {"wishes": {}},
    {"wishes": "CARD"},
    {"wishes": None},
    {"wishes": [WISH] * 101},
    {},
    [],
    None,
    5,
    _order(payment=5),
    _order(payment="no-such-channel"),
    _order(locale="fr"),
    _order(email="not an address"),
    _order(email="a@b\r\nBcc: c@d"),
    _order(agent="customer-000"),
    _order(sales_channel="<script>"),
]


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("body", ORDERS, ids=lambda body: json.dumps(body)[:60])
def test_an_order_says_what_to_buy_and_nothing_else(shop: Shop, body: Any) -> None:
    problem(shop.place(json.dumps(body).encode()))


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize(
    ("body", "code"),
    [
        (_wish(sku="NO-SUCH"), "unknown-sku"),
        ({"wishes": [WISH, {"sku": DOLLARS, "quantity": 1}]}, "mixed-currency"),
        (_order(expected_total={"amount": 999}), "price-changed"),
        (_order(customer="somebody-else"), "forbidden"),
    ],
)
def test_an_order_that_can_not_be_is_refused(shop: Shop, body: Any, code: str) -> None:
    assert problem(shop.place(json.dumps(body).encode()), 403, 404, 409, 422)["code"] == code


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("key", [None, "", "a b", "x" * 201, "ключ".encode().decode("latin-1")])
def test_an_order_needs_an_idempotency_key(shop: Shop, key: str | None) -> None:
    headers = {} if key is None else {"Idempotency-Key": key.encode("latin-1")}
    problem(shop.ask("alice", "POST", "/v1/orders", json=_order(), headers=headers))


def test_a_key_is_for_one_request(shop: Shop) -> None:
    headers = {"Idempotency-Key": str(uuid4())}
    first = answer_of(shop.ask("alice", "POST", "/v1/orders", json=_order(), headers=headers), 201)
    shop.market.run(shop.alice.http.get("/healthz"))
    shop.market.run(_ended(shop, first["order_id"]))
    before = shop.market.platform.heads()

    refusal = problem(shop.ask("alice", "POST", "/v1/orders", json=_wish(quantity=2), headers=headers), 409)

    assert refusal["code"] in ("idempotency-conflict", "order-exists")
    assert shop.market.platform.heads() == before


async def _ended(shop: Shop, order_id: str) -> None:
    async def look() -> Answer | None:
        order = answer_of(await shop.alice.http.get(f"/v1/orders/{order_id}"))
        return order if order["status"] == "completed" else None

    await until("the order to end", look)
    await shop.market.settled(shop.waiting)


BROKEN = {
    "empty": b"",
    "cut": b'{"wishes": [',
    "no JSON": b"sku=CARD",
    "two values": b"{} {}",
    "deep": b"[" * 200_000,
    "deep in a member": b'{"wishes": ' + b'{"a":' * 40_000 + b"1" + b"}" * 40_000 + b"}",
    "not UTF-8": b'{"wishes": [{"sku": "\xff\xfe", "quantity": 1}]}',
    "half a character": b'{"wishes": [{"sku": "\\ud800", "quantity": 1}]}',
    "half a character in an address": b'{"wishes": [{"sku": "CARD", "quantity": 1, "target": "\\ud800"}]}',
    "long number": b'{"wishes": [{"sku": "CARD", "quantity": ' + b"9" * 100_000 + b"}]}",
}


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN)
def test_broken_json_is_refused(shop: Shop, content: bytes) -> None:
    problem(shop.place(content))


@pytest.mark.usefixtures("unchanged")
def test_another_type_of_content_is_refused(shop: Shop) -> None:
    problem(shop.place(b"wishes=1", **{"Content-Type": "application/x-www-form-urlencoded"}), 415, 422)


async def _in_pieces() -> AsyncIterator[bytes]:
    yield b'{"wishes": "'
    for _ in range(MEGABYTES // 65_536):
        yield b"x" * 65_536
    yield b'"}'


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("content", [lambda: b" " * MEGABYTES, _in_pieces], ids=["with its length", "in pieces"])
def test_a_large_request_is_broken_off(shop: Shop, content: Callable[[], bytes | AsyncIterator[bytes]]) -> None:
    assert problem(shop.place(content()), 413)["code"] == "too-large"
