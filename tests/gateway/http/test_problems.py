from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import sqlalchemy as sa

from services.gateway.http.limits import IMPORT_LIMIT, JSON_LIMIT
from tests.databases import NewDatabase
from tests.gateway.builders import Shop, listed, open_shop, placed
from tests.runtime.builders import failing

MEMBERS = {"type", "title", "status", "detail", "instance", "code", "facts"}


@pytest.fixture
def shop(tmp_path: Path, new_database: NewDatabase) -> Iterator[Shop]:
    shop = open_shop(tmp_path, new_database())
    yield shop
    shop.backend.reads.dispose()


def is_problem(answer: Any, status: int, code: str) -> dict[str, Any]:
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    body = answer.json()
    assert (set(body), body["status"], body["code"]) == (MEMBERS, status, code)
    return body


def test_unknown_paths_and_methods(shop: Shop) -> None:
    assert is_problem(shop.client.get("/v2/nothing"), 404, "not-found")["instance"] == "/v2/nothing"
    answer = shop.client.request("DELETE", "/v1/orders")
    is_problem(answer, 405, "method-not-allowed")
    assert answer.headers["Allow"]


def test_a_problem_says_where_a_request_is_malformed_but_not_what_it_held(shop: Shop) -> None:
    body = {"login": "anna", "password": ["my-password"], "extra": "my-password"}
    answer = shop.client.post("/v1/sessions", json=body)
    problem = is_problem(answer, 422, "invalid-request")
    assert {error["where"] for error in problem["facts"]["errors"]} == {"body.password", "body.extra"}
    assert "my-password" not in answer.text


def test_a_contract_stricter_than_the_request_refuses_as_the_request_would(shop: Shop) -> None:
    shop.backend.happen(listed())
    body = {"wishes": [{"sku": "STEAM-50", "quantity": 1}], "payment": "alipay", "agent": "a" * 61}
    headers = {**shop.staff("operations"), "Idempotency-Key": "k" * 20}
    problem = is_problem(shop.client.post("/v1/orders", json=body, headers=headers), 422, "invalid-request")
    assert [error["where"] for error in problem["facts"]["errors"]] == ["agent"]
    assert shop.backend.sent == []


def test_an_unexpected_error_tells_nothing(shop: Shop) -> None:
    with shop.backend.reads.begin() as connection:
        connection.execute(sa.text("DROP TABLE products"))
    answer = shop.client.get("/v1/products")
    is_problem(answer, 500, "internal-error")
    assert "products" not in answer.json()["detail"]
    assert "sqlite" not in answer.text.lower()


def test_a_database_that_does_not_answer_is_waited_for(shop: Shop) -> None:
    with failing(shop.backend.reads, "FROM products"):
        answer = shop.client.get("/v1/products")
    is_problem(answer, 503, "no-database")
    assert answer.headers["Retry-After"] == "1"


async def pieces(size: int) -> AsyncIterator[bytes]:
    for _ in range(0, size, 65536):
        yield b" " * 65536


@pytest.mark.parametrize("path", ["/v1/orders", "/v1/sessions", "/v1/payments/callbacks/alipay"])
def test_a_body_too_large_is_broken_off(shop: Shop, path: str) -> None:
    headers = {"Content-Type": "application/json", "Idempotency-Key": "k" * 20}
    is_problem(shop.client.post(path, content=b" " * (JSON_LIMIT + 1), headers=headers), 413, "too-large")
    is_problem(shop.client.post(path, content=pieces(JSON_LIMIT * 2), headers=headers), 413, "too-large")
    assert shop.backend.sent == []


def test_of_many_faults_the_problem_names_the_first(shop: Shop) -> None:
    body = {f"unknown-{number}": 0 for number in range(1_000)}
    answer = shop.client.post("/v1/sessions", json=body)
    facts = answer.json()["facts"]
    assert answer.status_code == 422
    assert len(facts["errors"]) + facts["more"] >= len(body)
    assert len(answer.content) < 10_000


def test_an_import_may_be_larger(shop: Shop) -> None:
    headers = shop.staff("operations")
    large = {"file": ("a.csv", b"x" * (JSON_LIMIT * 2))}
    assert shop.client.post("/v1/imports/keys", files=large, headers=headers).status_code != 413
    too_large = {"file": ("a.csv", b"x" * (IMPORT_LIMIT + 1))}
    is_problem(shop.client.post("/v1/imports/keys", files=too_large, headers=headers), 413, "too-large")


INJECTIONS = [
    "' OR '1'='1", "'; DROP TABLE orders; --", '" OR ""="', "%", "_", "\\", "%%%", "{{7*7}}", "${7*7}", "<script>",
    "=cmd|'/C calc'!A0", "\x00", "a\x00b", "\ud83d", "9" * 5000, "-1", "null", "[]", "'); SELECT 1; --", "/../../etc",
]  # fmt: skip
FILTERS = [
    ("/v1/orders", ("customer", "sku", "status", "placed_from", "placed_to", "cursor", "limit")),
    ("/v1/products", ("name", "kind", "source", "on_sale", "cursor", "limit")),
    ("/v1/risk/cases", ("status", "cursor", "limit")),
    ("/v1/risk/lists", ("name", "dimension", "cursor")),
    ("/v1/notifications", ("status", "order_id", "cursor")),
    ("/v1/deliveries/handovers", ("cursor",)),
    ("/v1/ledger/accounts/wallet:c1/entries", ("cursor",)),
    ("/v1/events", ("source", "after", "limit")),
]


@pytest.mark.parametrize(("path", "names"), FILTERS, ids=[path for path, _ in FILTERS])
def test_no_filter_is_a_way_in(shop: Shop, path: str, names: tuple[str, ...]) -> None:
    shop.backend.happen(listed(), placed("o1", "c1"))
    headers = shop.staff("administrator")
    for name in names:
        for text in INJECTIONS:
            encoded = text.encode(errors="surrogatepass")
            answer = shop.client.get(path, params={name: encoded}, headers=headers)  # type: ignore[dict-item]
            assert answer.status_code in (200, 422), (name, text, answer.text)
            if answer.status_code == 200 and path != "/v1/events":
                assert answer.json()["items"] == []
    assert len(shop.client.get("/v1/orders", headers=headers).json()["items"]) == 1


@pytest.mark.parametrize("text", INJECTIONS)
def test_no_path_is_a_way_in(shop: Shop, text: str) -> None:
    encoded = quote(text.encode(errors="surrogatepass"), safe="")
    headers = shop.staff("administrator")
    for path in ("orders", "payments", "wallets", "products", "imports"):
        assert shop.client.get(f"/v1/{path}/{encoded}", headers=headers).status_code in (200, 404, 422)


def test_cursors_of_other_lists_do_not_fit(shop: Shop) -> None:
    headers = shop.staff("administrator")
    parts: list[Any] = [
        [], {}, 7, None, ["x"], ["a", 1], [1, 2], ["a", "b", "c"], [None, None], ["a\x00", "b"], ["\ud800", "b"],
        [2**63, 2**63], [True, True], [[], []],
    ]  # fmt: skip
    for part in parts:
        cursor = urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()
        answer = shop.client.get("/v1/orders", params={"cursor": cursor}, headers=headers)
        is_problem(answer, 422, "bad-cursor")


@pytest.mark.parametrize(
    "moment", [1900000000, 1900000000.5, "1900000000", "2030-01-01", "2030-01-01T00:00:00", "2030-01-01T00:00Z", True]
)
def test_a_time_is_a_text_with_its_zone_and_never_a_number(shop: Shop, moment: object) -> None:
    entry = {"list": "block", "dimension": "ip", "value": "203.0.113.9", "reason": "fraud", "until": moment}
    is_problem(shop.client.post("/v1/risk/lists", json=entry, headers=shop.staff("operations")), 422, "invalid-request")
    asked = {"placed_from": str(moment)}
    is_problem(shop.client.get("/v1/orders", params=asked, headers=shop.staff("support")), 422, "invalid-request")
    assert shop.backend.sent == []


def test_years_at_the_ends_of_time(shop: Shop) -> None:
    for moment in ("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"):
        answer = shop.client.get("/v1/orders", params={"placed_from": moment}, headers=shop.staff("support"))
        is_problem(answer, 422, "invalid-request")
