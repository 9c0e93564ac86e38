"""Pages are bounded by bytes, and made beside the event loop."""

from __future__ import annotations

import asyncio
import json
from itertools import takewhile
from threading import Event
from typing import Any

import httpx
import pytest

from services.gateway.feed import routes
from services.gateway.http import pages
from shared.contracts import ledger as led
from tests.amounts import yuan
from tests.gateway.builders import Shop, listed, placed
from tests.waiting import PATIENCE

LARGE = 200


@pytest.fixture(autouse=True)
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "MOST_BYTES", 1_500)


def walked(shop: Shop, path: str, role: Any, by: str = "cursor", **params: Any) -> list[list[dict[str, Any]]]:
    """The pages of a list, to its end."""
    found, at = [], {}
    while True:
        answer = shop.client.get(path, params={**params, **at}, headers=shop.staff(role))
        assert answer.status_code == 200, answer.text
        page = answer.json()
        if not page["items"]:
            return found
        found.append(page["items"])
        if page["next"] is None:
            return found
        at = {by: page["next"]}


@pytest.mark.parametrize("form", ["log", "cloudevents"])
@pytest.mark.parametrize("source", [{"source": "inventory"}, {}])
def test_a_page_of_the_feed_ends_where_it_has_enough_bytes(shop: Shop, form: str, source: dict[str, str]) -> None:
    skus = [f"SKU-{number}" for number in range(20)]
    shop.backend.happen(*(listed(sku, name="n" * LARGE) for sku in skus))
    found = walked(shop, "/v1/events", "subscriber", "after", form=form, limit=1_000, **source)
    assert [item["data"]["sku"] for page in found for item in page if "sku" in item["data"]] == skus
    assert all(len(page) <= 4 for page in found)


def test_a_page_holds_one_event_however_large_it_is(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "MOST_BYTES", 1)
    shop.backend.happen(listed("A"), listed("B"))
    found = walked(shop, "/v1/events", "subscriber", "after", source="inventory")
    assert [[item["data"]["sku"] for item in page] for page in found] == [["A"], ["B"]]


@pytest.mark.parametrize("most", [1, 10, 99, 100, 101])
def test_items_and_what_stands_between_them_fit_a_page_unless_the_first_is_larger(most: int) -> None:
    for texts in ([b"1"] * 200, [b"1" * size for size in range(1, 200)], [b"1" * most, b"2"]):
        items = pages.Items(200, most)
        taken = sum(1 for _ in takewhile(items.take, texts))
        page = json.loads(bytes(items.answer(None).body))["items"]
        assert len(page) == taken >= 1
        assert taken == 1 or sum(len(str(item)) + 1 for item in page) <= most


def test_a_list_ends_where_it_has_enough_bytes(shop: Shop) -> None:
    skus = [f"SKU-{number:02}" for number in range(20)]
    shop.backend.happen(*(listed(sku, name="n" * LARGE) for sku in skus))
    found = walked(shop, "/v1/products", "operations", limit=200)
    assert [item["sku"] for page in found for item in page] == skus
    assert 5 <= len(found) <= 20


def test_an_order_s_history_goes_on_behind_a_page(shop: Shop) -> None:
    shop.backend.happen(placed("o1"), *(led.FundsHeld(order_id="o1", account="w", amount=yuan(n)) for n in range(1, 9)))
    whole = walked(shop, "/v1/orders/o1/history", "support")
    assert len(whole) > 1
    assert [item["position"] for page in whole for item in page if item["source"] == "ledger"] == list(range(1, 9))
    assert walked(shop, "/v1/orders/o1/history", "support", limit=1) == [[item] for page in whole for item in page]


def test_the_trial_balance_sums_up_all_accounts_on_each_page(shop: Shop) -> None:
    for number in range(30):
        postings = (
            led.Posting(account=f"wallet:customer-{number:02}", amount=yuan(-1)),
            led.Posting(account="channel:alipay", amount=yuan(1)),
        )
        shop.backend.happen(led.EntryPosted(entry_id=f"e{number}", postings=postings, note="gift"))
    accounts, cursor = [], {}
    while cursor is not None:
        page = shop.client.get("/v1/ledger/trial-balance", params=cursor, headers=shop.staff("finance")).json()
        assert page["sums"] == {"CNY": 0}
        accounts += [row["account"] for row in page["accounts"]]
        cursor = {"cursor": page["next"]} if page["next"] else None
    assert accounts == ["channel:alipay", *(f"wallet:customer-{number:02}" for number in range(30))]


@pytest.mark.parametrize("path", ["/v1/events?source=inventory&limit=1000", "/v1/products"])
def test_probes_are_answered_while_a_page_is_made(shop: Shop, monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    shop.backend.happen(listed("A"))
    headers, plain = shop.staff("administrator"), pages.as_json
    begun, answered = Event(), Event()

    def held(value: Any) -> bytes:
        begun.set()
        assert answered.wait(PATIENCE), "no probe was answered meanwhile"
        return plain(value)

    monkeypatch.setattr(routes, "as_json", held)
    monkeypatch.setattr(pages, "as_json", held)

    async def both() -> tuple[httpx.Response, httpx.Response]:
        transport = httpx.ASGITransport(shop.client.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://shop.example", headers=headers) as client:
            page = asyncio.create_task(client.get(path))
            await asyncio.to_thread(begun.wait, 30)
            probe = await client.get("/healthz")
            answered.set()
            return probe, await page

    probe, page = asyncio.run(both())
    assert (probe.status_code, page.status_code) == (200, 200)
    assert len(page.json()["items"]) == 1
