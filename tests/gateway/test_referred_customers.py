"""Nothing is done for a customer who never registered."""

from __future__ import annotations

from typing import Any

import pytest

from shared.contracts import Money
from shared.contracts.inventory import KeysLoaded
from shared.contracts.ledger import EntryPosted, Posting
from tests.gateway.builders import Shop, customer_registered, listed

AMOUNT = {"amount": {"amount": 100}, "channel": "alipay"}
ORDER = {"wishes": [{"sku": "S", "quantity": 1}], "payment": "alipay"}
POSTINGS = [{"account": "bank", "amount": 1}, {"account": "wallet:{customer}", "amount": -1}]
ENTRY = {"list": "block", "dimension": "customer", "reason": "r"}
REQUESTS: list[tuple[str, str, Any]] = [
    ("GET", "/v1/wallets/{customer}", None),
    ("POST", "/v1/wallets/{customer}/deposits", AMOUNT),
    ("POST", "/v1/orders", {**ORDER, "customer": "{customer}"}),
    ("POST", "/v1/ledger/entries", {"postings": POSTINGS, "note": "n"}),
    ("POST", "/v1/risk/lists", {**ENTRY, "value": "{customer}"}),
]


def filled(template: Any, customer: str) -> Any:
    match template:
        case dict():
            return {name: filled(value, customer) for name, value in template.items()}
        case list():
            return [filled(value, customer) for value in template]
        case str():
            return template.replace("{customer}", customer)
        case _:
            return template


@pytest.mark.parametrize(("method", "path", "body"), REQUESTS, ids=lambda part: str(part)[:30])
def test_who_is_not_there_is_refused(shop: Shop, method: str, path: str, body: Any) -> None:
    headers = {**shop.staff("administrator"), "Idempotency-Key": "k"}
    shop.backend.happen(customer_registered("here"))
    answer = shop.client.request(method, filled(path, "nobody"), json=filled(body, "nobody"), headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (404, "not-found")
    assert shop.backend.sent == []
    answer = shop.client.request(method, filled(path, "here"), json=filled(body, "here"), headers=headers)
    assert answer.status_code in (200, 201), answer.text


def test_who_may_be_there_is_asked_for_again(shop: Shop) -> None:
    headers = shop.staff("administrator")
    shop.backend.is_behind = True
    assert shop.client.get("/v1/wallets/c1", headers=headers).status_code == 503


def posted(shop: Shop, account: str, *, is_behind: bool = False) -> tuple[int, str]:
    postings = [{"account": account, "amount": -1}, {"account": "cost:main", "amount": 1}]
    headers = shop.staff("finance")
    shop.backend.is_behind = is_behind
    answer = shop.client.post("/v1/ledger/entries", json={"postings": postings, "note": "n"}, headers=headers)
    return answer.status_code, answer.json().get("code", "")


@pytest.mark.parametrize("kind", ["supplier", "claims"])
def test_nothing_is_owed_to_a_supplier_that_is_not_there(shop: Shop, kind: str) -> None:
    assert posted(shop, f"{kind}:ghost") == (422, "unknown-supplier")
    assert shop.backend.sent == []
    assert posted(shop, f"{kind}:north") == (201, "")  # configured
    shop.backend.happen(listed("A-1", suppliers=("south",)), listed("B-1", source="keys", suppliers=()))
    shop.backend.happen(
        KeysLoaded(sku="B-1", batch_id="b", first=1, keys=(), supplier="printer", cost=None, expires_on=None)
    )
    owed = tuple(
        Posting(account=account, amount=Money(amount=fen))
        for account, fen in (("supplier:former", -5), ("cost:main", 5))
    )
    shop.backend.happen(EntryPosted(entry_id="e", postings=owed, note="before"))
    for known in ("south", "printer", "former"):
        assert posted(shop, f"{kind}:{known}") == (201, ""), known


@pytest.mark.parametrize("kind", ["channel", "by-hand", "suspense", "difference"])
def test_nothing_is_booked_of_a_channel_that_is_not_there(shop: Shop, kind: str) -> None:
    assert posted(shop, f"{kind}:ghost") == (422, "unknown-channel")
    assert posted(shop, f"{kind}:north") == (422, "unknown-channel")  # a supplier
    assert shop.backend.sent == []
    assert posted(shop, f"{kind}:alipay") == (201, "")  # configured
    settled = tuple(
        Posting(account=account, amount=Money(amount=fen)) for account, fen in (("channel:former", -5), ("bank", 5))
    )
    shop.backend.happen(EntryPosted(entry_id="e", postings=settled, note="before"))
    assert posted(shop, f"{kind}:former") == (201, "")


def test_a_channel_that_may_be_there_is_asked_for_again(shop: Shop) -> None:
    assert posted(shop, "channel:ghost", is_behind=True)[0] == 503


def test_a_supplier_who_may_be_there_is_asked_for_again(shop: Shop) -> None:
    assert posted(shop, "supplier:ghost", is_behind=True)[0] == 503
