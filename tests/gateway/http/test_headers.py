"""A header that says one thing comes once: of two that differ, none is taken in silence."""

from __future__ import annotations

import pytest
from fastapi.routing import APIRoute

from services.gateway.http.headers import NAMES
from services.gateway.orders.buyers import order_secret
from tests.gateway.builders import Shop, orders_follow, placed
from tests.gateway.http.test_parsing import routes_of

PLACED = {"wishes": [{"sku": "STEAM-50", "quantity": 1}], "payment": "alipay"}
KEY = "7d0c8a1e-8a63-4a0e-9d6c-1f9e4f1f2b3a"


@pytest.mark.parametrize("name", NAMES)
def test_two_that_differ_are_refused_and_nothing_is_done(shop: Shop, name: str) -> None:
    orders_follow(shop)
    headers = [("Idempotency-Key", KEY), (name, "one"), (name.lower(), "another")]
    answer = shop.client.post("/v1/orders", json=PLACED, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (422, "duplicate-header")
    assert answer.json()["facts"] == {"header": name}
    assert not shop.backend.sent


def test_two_that_say_the_same_are_one(shop: Shop) -> None:
    orders_follow(shop)
    headers = [("Idempotency-Key", KEY), ("Idempotency-Key", KEY)]
    assert shop.client.post("/v1/orders", json=PLACED, headers=headers).status_code in (201, 202)


def test_neither_of_two_secrets_opens_an_order(shop: Shop) -> None:
    shop.backend.happen(placed("o1", None))
    right = order_secret(shop.backend.secrets, "o1")
    for secrets in ((right, "wrong"), ("wrong", right)):
        headers = [("Order-Secret", secret) for secret in secrets]
        assert shop.client.get("/v1/orders/o1", headers=headers).json()["code"] == "duplicate-header"


def test_every_header_that_a_route_takes_is_single_or_a_list(shop: Shop) -> None:
    def taken(route: APIRoute) -> set[str]:
        todo, found = [route.dependant], set[str]()
        while todo:
            one = todo.pop()
            todo += one.dependencies
            found |= {field.alias.lower() for field in one.header_params}
        return found

    names = set[str]().union(*map(taken, routes_of(shop.client.app.routes)))
    assert {name.replace("_", "-") for name in names} - {name.lower() for name in NAMES} == {"prefer"}
