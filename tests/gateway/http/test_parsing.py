"""A member of a JSON object that comes twice is refused, whatever it says."""

from __future__ import annotations

import json
from typing import Any

import pytest
from fastapi.routing import APIRoute
from hypothesis import given
from hypothesis import strategies as st

from services.gateway.http.parsing import JsonRoute
from shared.contracts.gateway import RecordUnread
from shared.values.json_text import SaidTwice, read_json
from tests.gateway.builders import Shop
from tests.gateway.callbacks.test_api import (
    CHANNEL,
    DONE,
    PAID,
    SUPPLIER,
    call,
)

WISHES = '"wishes": [{"sku": "STEAM-50", "quantity": 1}]'


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(values)
def test_json_whose_members_come_once_is_read_as_ever(value: Any) -> None:
    assert read_json(json.dumps(value)) == value


@given(st.text(), values, values)
def test_a_member_that_comes_twice_is_refused_at_any_depth(name: str, one: Any, other: Any) -> None:
    twice = f"{{{json.dumps(name)}: {json.dumps(one)}, {json.dumps(name)}: {json.dumps(other)}}}"
    for body in (twice, f"[{twice}]", f'{{"outer": [1, {twice}]}}'):
        with pytest.raises(SaidTwice):
            read_json(body)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/orders", f'{{{WISHES}, "payment": "wallet", "payment": "alipay"}}'),
        ("/v1/orders", f'{{{WISHES}, "payment": "wallet", "payment": "wallet"}}'),
        ("/v1/orders", '{"wishes": [{"sku": "STEAM-50", "quantity": 1, "quantity": 2}]}'),
        ("/v1/orders/o1/refunds", '{"reason": "r", "amount": 1, "amount": 1000}'),
        ("/v1/wallets/c1/deposits", '{"amount": {"amount": 1, "amount": 1000}, "channel": "alipay"}'),
        ("/v1/ledger/entries", '{"postings": [], "note": "a", "note": "b"}'),
    ],
)
def test_nothing_is_done_for_a_body_that_says_something_twice(shop: Shop, path: str, body: str) -> None:
    headers = {**shop.staff("administrator"), "Idempotency-Key": "k", "Content-Type": "application/json"}
    answer = shop.client.post(path, content=body, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (422, "duplicate-member")
    assert shop.backend.sent == []


@pytest.mark.parametrize(
    ("path", "body", "secret"), [(CHANNEL, PAID, "channel-alipay"), (SUPPLIER, DONE, "supplier-north")]
)
def test_nor_for_a_partner_that_does(shop: Shop, path: str, body: dict[str, Any], secret: str) -> None:
    twice = json.dumps(body)[:-1] + ', "amount": 1, "amount": 2}'
    answer = call(shop, path, twice.encode(), secret)
    assert (answer.status_code, answer.json()["code"]) == (422, "duplicate-member")
    assert [type(message.command) for message in shop.backend.sent] == [RecordUnread]


def test_a_forger_that_does_is_a_forger(shop: Shop) -> None:
    twice = json.dumps(PAID)[:-1] + ', "amount": 1, "amount": 2}'
    answer = call(shop, CHANNEL, twice.encode(), "supplier-north")
    assert (answer.status_code, answer.json()["code"]) == (401, "bad-signature")
    assert shop.backend.sent == []


@pytest.mark.parametrize(
    ("mapping", "code"),
    [
        ('{"sku": "a", "sku": "b"}', "duplicate-member"),
        ('{"sku": "\\ud800"}', "bad-mapping"),
        ('{"sku": NaN}', "bad-mapping"),
        ("[" * 9_000, "bad-mapping"),
    ],
)
def test_a_mapping_names_a_field_once(shop: Shop, mapping: str, code: str) -> None:
    file = {"file": ("p.csv", b"sku,name,price\nS,n,1.00\n")}
    answer = shop.client.post(
        "/v1/imports/products", files=file, data={"mapping": mapping}, headers=shop.staff("operations")
    )
    assert (answer.status_code, answer.json()["code"]) == (422, code)


def routes_of(routes: list[Any]) -> list[APIRoute]:
    found: list[APIRoute] = []
    for route in routes:
        if isinstance(route, APIRoute):
            found.append(route)
        elif inner := getattr(getattr(route, "original_router", None), "routes", None):
            found += routes_of(inner)
    return found


def test_every_route_that_takes_a_body_reads_it_so(shop: Shop) -> None:
    taking = [route for route in routes_of(shop.client.app.routes) if route.body_field is not None]
    assert len(taking) > 20
    assert [route.path for route in taking if not isinstance(route, JsonRoute)] == []
