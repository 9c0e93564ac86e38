"""Products, wallets, the books, cases, handovers, messages, the feed and health over HTTP."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from services.gateway.http import pages
from shared.broker.cloudevents import outgoing
from shared.contracts import fulfillment as ff
from shared.contracts import inventory as inv
from shared.contracts import ledger as led
from shared.contracts import notification as note
from shared.contracts import risk as r
from shared.contracts.fulfillment import ResolveDelivery
from shared.contracts.ledger import PostEntry, RequestPayment
from shared.values.currencies import IN_MINOR_UNITS, MINOR_UNITS
from tests.amounts import yuan
from tests.gateway.builders import Shop, customer_registered, line, listed, placed


def test_the_page_of_an_order_knows_every_currency_and_guesses_none(shop: Shop) -> None:
    page = shop.client.get("/orders/o1").text
    assert f"const decimals = {json.dumps(MINOR_UNITS)}\n" in page
    assert f'const inMinorUnits = "{IN_MINOR_UNITS}"\n' in page


def test_products_are_found(shop: Shop) -> None:
    shop.backend.happen(
        listed(), listed("QQ-10", name="QQ 10_%", kind="top-up", source="supplier"), listed("OLD", on_sale=False)
    )
    staff = shop.staff("operations")

    def skus(headers: dict[str, str], **params: str) -> list[str]:
        return [item["sku"] for item in shop.client.get("/v1/products", params=params, headers=headers).json()["items"]]

    assert skus({}) == ["QQ-10", "STEAM-50"]
    assert skus(staff) == ["OLD", "QQ-10", "STEAM-50"]
    assert skus(staff, on_sale="false") == ["OLD"]
    assert (
        skus({}, kind="top-up")
        == skus({}, source="supplier")
        == skus({}, name="_%")
        == skus({}, name="qq")
        == ["QQ-10"]
    )
    assert shop.client.get("/v1/products/OLD").status_code == 404
    assert shop.client.get("/v1/products/OLD", headers=staff).status_code == 200


def test_putting_a_product_on_sale(shop: Shop) -> None:
    shop.backend.happen(listed(on_sale=False))
    shop.backend.then[inv.SetSale] = lambda command: [inv.ProductPutOnSale(sku=command.sku)]
    headers = shop.staff("operations")
    answer = shop.client.request("PATCH", "/v1/products/STEAM-50", json={"on_sale": True}, headers=headers)
    assert answer.json()["on_sale"] is True
    for odd in ("true", 1, None):
        answer = shop.client.request("PATCH", "/v1/products/STEAM-50", json={"on_sale": odd}, headers=headers)
        assert answer.status_code == 422


def test_a_wallet_shows_what_is_left(shop: Shop) -> None:
    postings = (
        led.Posting(account="channel:alipay", amount=yuan(100)),
        led.Posting(account="wallet:c1", amount=yuan(-100)),
    )
    shop.backend.happen(
        led.EntryPosted(entry_id="e1", postings=postings, note="gift"),
        led.FundsHeld(order_id="o1", account="wallet:c1", amount=yuan(30)),
    )
    wallet = shop.client.get("/v1/wallets/c1", headers=shop.customer("c1")).json()
    assert wallet["balances"] == [{"currency": "CNY", "balance": 10000, "held": 3000, "available": 7000}]
    balance = shop.client.get("/v1/ledger/trial-balance", headers=shop.staff("finance")).json()
    assert balance["sums"] == {"CNY": 0}
    path = "/v1/ledger/accounts/wallet:c1/entries"
    (entry,) = shop.client.get(path, headers=shop.staff("finance")).json()["items"]
    assert (entry["amount"], entry["concerns"]) == (-10000, "e1")


def test_topping_up_opens_a_payment(shop: Shop) -> None:
    body = {"amount": {"amount": 10000}, "channel": "alipay"}
    answer = shop.client.post("/v1/wallets/c1/deposits", json=body, headers=shop.customer("c1"))
    command: RequestPayment = shop.backend.last
    assert (command.account, command.amount, command.order_id) == ("wallet:c1", yuan(100), None)
    assert answer.json()["payment_id"] == command.payment_id
    for amount in (0, -1, 1.5, "1", True):
        body = {"amount": {"amount": amount}, "channel": "alipay"}
        assert shop.client.post("/v1/wallets/c1/deposits", json=body, headers=shop.customer("c1")).status_code == 422


def test_a_payment_of_a_wallet_is_its_owners(shop: Shop) -> None:
    shop.backend.happen(
        led.PaymentRequested(payment_id="p1", account="wallet:c1", amount=yuan(1), channel="alipay", order_id=None)
    )
    assert shop.client.get("/v1/payments/p1", headers=shop.customer("c1")).status_code == 200
    assert shop.client.get("/v1/payments/p1", headers=shop.customer("c2")).status_code == 404


def test_staff_see_what_a_channel_did_not_close_and_have_it_asked_again(shop: Shop) -> None:
    shop.backend.happen(
        led.PaymentRequested(payment_id="o1", account="order:o1", amount=yuan(1), channel="alipay", order_id="o1"),
        led.PaymentOpened(payment_id="o1", channel_ref="ref", pay_url="https://pay.example/o1"),
        led.PaymentClosing(payment_id="o1", channel="alipay", order_id="o1"),
        led.PaymentNotClosed(payment_id="o1", order_id="o1", paid=None, reason="not now"),
    )
    (shown,) = shop.client.get("/v1/payments/not-closed", headers=shop.staff("support")).json()["items"]
    assert (shown["payment_id"], shown["status"], shown["reason"], shown["pay_url"]) == (
        "o1", "not-closed", "not now", None
    )  # fmt: skip
    answer = shop.client.post("/v1/payments/o1/close", headers=shop.staff("support"))
    assert answer.status_code == 202
    assert shop.backend.last == led.StopPayment(payment_id="o1")


def test_posting_an_entry(shop: Shop) -> None:
    body = {"postings": [{"account": "a:1", "amount": 5}, {"account": "b:1", "amount": -5}], "note": "correction"}
    headers = {"Idempotency-Key": "e", **shop.staff("finance")}
    ids = {shop.client.post("/v1/ledger/entries", json=body, headers=headers).json()["entry_id"] for _ in range(2)}
    command: PostEntry = shop.backend.last
    assert ids == {command.entry_id}
    assert [posting.amount.amount for posting in command.postings] == [5, -5]


def test_cases_wait_for_a_decision(shop: Shop) -> None:
    shop.backend.happen(r.CaseOpened(order_id="o1", amount=yuan(900), reasons=("large",)))
    shop.backend.then[r.DecideCase] = lambda c: [r.CaseDecided(order_id=c.order_id, decision=c.decision, note=c.note)]
    headers = shop.staff("support")
    (case,) = shop.client.get("/v1/risk/cases", params={"status": "open"}, headers=headers).json()["items"]
    assert case["reasons"] == ["large"]
    decided = shop.client.post("/v1/risk/cases/o1/decision", json={"decision": "pass"}, headers=headers).json()
    assert (decided["status"], decided["decided_by"]) == ("decided", "staff:support-1")


def test_lists_are_kept(shop: Shop) -> None:
    shop.backend.then[r.SetListEntry] = lambda c: [r.ListEntrySet(**c.model_dump())]
    headers = shop.staff("operations")
    body = {"list": "block", "dimension": "ip", "value": "203.0.113.9", "reason": "fraud"}
    assert shop.client.post("/v1/risk/lists", json=body, headers=headers).json() == {"entry": "ip:203.0.113.9"}
    (entry,) = shop.client.get("/v1/risk/lists", params={"name": "block"}, headers=headers).json()["items"]
    assert entry["set_by"] == "staff:operations-1"
    device = {**body, "dimension": "device", "value": "Pixel 7"}
    assert shop.client.post("/v1/risk/lists", json=device, headers=headers).json() == {"entry": "device:pixel 7"}
    assert shop.client.post("/v1/risk/lists", json={**body, "value": "a\nb"}, headers=headers).status_code == 422


@pytest.mark.parametrize("reason", [" ", "\u200b", "\x1b", "\u202e"])
def test_a_reason_holds_something_to_read(shop: Shop, reason: str) -> None:
    headers = shop.staff("operations")
    body = {"list": "block", "dimension": "ip", "value": "203.0.113.9", "reason": reason}

    put = shop.client.post("/v1/risk/lists", json=body, headers=headers)
    taken = shop.client.request("DELETE", "/v1/risk/lists/ip:203.0.113.9", params={"reason": reason}, headers=headers)
    noted = shop.client.post("/v1/risk/cases/o1/decision", json={"decision": "pass", "note": reason}, headers=headers)

    assert [answer.status_code for answer in (put, taken, noted)] == [422] * 3
    assert shop.backend.sent == []


def test_a_list_entry_is_over_at_its_time_as_screening_finds_it(shop: Shop) -> None:
    end = shop.clock.now + timedelta(hours=1)
    for value, until in (("203.0.113.9", end), ("203.0.113.10", None)):
        entry = {"entry": f"ip:{value}", "dimension": "ip", "value": value, "list": "block", "reason": "fraud"}
        shop.backend.happen(r.ListEntrySet.model_validate({**entry, "until": until}))
    headers = shop.staff("operations")

    def over() -> dict[str, bool]:
        items = shop.client.get("/v1/risk/lists", headers=headers).json()["items"]
        return {item["value"]: item["over"] for item in items}

    assert over() == {"203.0.113.9": False, "203.0.113.10": False}
    shop.clock.now = end
    assert over() == {"203.0.113.9": True, "203.0.113.10": False}


def test_handovers_wait_for_a_person(shop: Shop) -> None:
    shop.backend.happen(
        placed("o1"),
        ff.DeliveryRequested(delivery_id="o1/1", order_id="o1", line=line(source="manual"), attempt=1, buyer_key="k"),
        ff.DeliveryHandedOver(delivery_id="o1/1", order_id="o1", line=1, sku="STEAM-50", reason="by hand"),
    )
    headers = shop.staff("support")
    (waiting,) = shop.client.get("/v1/deliveries/handovers", headers=headers).json()["items"]
    assert (waiting["delivery_id"], waiting["reason"]) == ("o1/1", "by hand")
    body = {"delivered": True, "note": "sent by phone"}
    assert shop.client.post("/v1/deliveries/handovers/o1/1/resolution", json=body, headers=headers).status_code == 200
    assert shop.backend.last == ResolveDelivery(delivery_id="o1/1", delivered=True, note="sent by phone")


def test_messages_are_listed(shop: Shop) -> None:
    shop.backend.happen(
        note.MessageQueued(
            message_id="m1", channel="email", to="a@b.c", template="t", locale="zh", params={}, order_id="o1"
        ),
        note.MessageFailed(message_id="m1", channel="email", attempts=8, reason="mailbox full"),
    )
    params = {"status": "failed", "order_id": "o1"}
    (message,) = shop.client.get("/v1/notifications", params=params, headers=shop.staff("support")).json()["items"]
    assert (message["attempts"], message["reason"]) == (8, "mailbox full")


def feed(shop: Shop, limit: int, **params: str) -> list[tuple[str, int]]:
    """The whole feed, page by page."""
    found: list[tuple[str, int]] = []
    headers, after = shop.staff("operations"), {}
    while True:
        query: dict[str, Any] = {"limit": limit, **params, **after}
        page = shop.client.get("/v1/events", params=query, headers=headers).json()
        found += [(item["source"], item["position"]) for item in page["items"]]
        if not page["items"]:
            return found
        after = {"after": page["next"]}


@pytest.mark.parametrize("limit", [1, 2, 3, 100])
def test_the_feed_leaves_nothing_out(shop: Shop, limit: int) -> None:
    shop.staff("operations")
    shop.backend.happen(listed(), placed("o1"), listed("B"), placed("o2"), listed("C"), placed("o3"))
    everything = [(item.source, item.position) for item in shop.backend.log]
    assert feed(shop, limit) == everything
    assert feed(shop, limit, source="order") == [("order", 1), ("order", 2), ("order", 3)]


def test_the_feed_tells_which_logs_end_before_a_position_that_was_given(shop: Shop) -> None:
    shop.backend.happen(placed("o1"), listed())
    headers = shop.staff("subscriber")

    def asked(**params: str) -> Any:
        return shop.client.get("/v1/events", params=params, headers=headers).json()

    assert asked(source="order", after="1") == {"items": [], "next": "1", "beyond": []}
    assert asked(source="order", after="2") == {"items": [], "next": "2", "beyond": ["order"]}
    assert asked(source="ledger") == {"items": [], "next": "0", "beyond": []}
    whole = asked()
    assert whole["beyond"] == []
    assert asked(after=whole["next"]) == {"items": [], "next": whole["next"], "beyond": []}
    shop.backend.log = [recorded for recorded in shop.backend.log if recorded.source != "order"]  # set back
    assert asked(after=whole["next"])["beyond"] == ["order"]


def test_a_cursor_from_before_a_service_was_there_reads_its_log_from_the_start(shop: Shop) -> None:
    headers = shop.staff("subscriber")
    shop.backend.happen(placed("o1"), listed())
    positions = pages.decode(shop.client.get("/v1/events", headers=headers).json()["next"])
    del positions["inventory"]

    page = shop.client.get("/v1/events", params={"after": pages.encode(positions)}, headers=headers).json()

    assert [(item["source"], item["position"]) for item in page["items"]] == [("inventory", 1)]
    unknown = pages.encode({"nobody": 1})
    assert shop.client.get("/v1/events", params={"after": unknown}, headers=headers).status_code == 422


@pytest.mark.parametrize(
    ("path", "params", "found"),
    [
        ("/v1/orders", {"sku": " STEAM\u200b-50 "}, 1),
        ("/v1/orders", {"sku": "ＳＴＥＡＭ-50"}, 1),
        ("/v1/orders", {"sku": "STEAM-51"}, 0),
        ("/v1/orders", {"customer": "c1\u00a0"}, 1),
        ("/v1/notifications", {"order_id": " o1"}, 1),
        ("/v1/suppliers/statements", {"supplier": "ｎorth"}, 1),
        ("/v1/products", {"name": "Steam\u200b ５０"}, 1),
        ("/v1/products", {"name": "５０"}, 1),
        ("/v1/products", {"name": "ＱＱ币"}, 1),
    ],
)
def test_a_list_finds_what_is_asked_for_in_another_spelling(
    shop: Shop, path: str, params: dict[str, str], found: int
) -> None:
    stated = {"delivery_id": "o1/1", "order_id": "o1", "line": 1, "sku": "QQ-10", "supplier": "north", "statement": 1}
    said = {"request_id": "o1/1#north", "finding": "late-success", "outcome": "done", "supplier_ref": "", "reason": ""}
    shop.backend.happen(
        customer_registered("c1"),
        placed("o1", "c1", lines=(line(),)),
        listed(),
        listed("QQ-1", name="ＱＱ币"),
        note.MessageQueued(
            message_id="m1", channel="email", to="a@b.c", template="t", locale="zh", params={}, order_id="o1"
        ),
        ff.SupplierStatementRecorded.model_validate({**stated, **said, "cost": None}),
    )

    answer = shop.client.get(path, params=params, headers=shop.staff("administrator"))
    assert len(answer.json()["items"]) == found


@pytest.mark.parametrize("value", ["", " ", "\u200b", "a\u202eb", "a\nb", "a\x1b"])
def test_a_list_is_asked_for_nothing_that_names_nothing(shop: Shop, value: str) -> None:
    for path, name in (("/v1/orders", "sku"), ("/v1/orders", "customer"), ("/v1/suppliers/statements", "supplier")):
        answer = shop.client.get(path, params={name: value}, headers=shop.staff("administrator"))
        assert answer.status_code == 422, (path, name)


def test_the_feed_tells_events_as_they_are_published(shop: Shop) -> None:
    shop.backend.happen(placed("o1"), listed(), placed("o2"))
    params = {"source": "order", "after": "1", "form": "cloudevents"}
    page = shop.client.get("/v1/events", params=params, headers=shop.staff("subscriber")).json()
    (item,) = page["items"]
    (published,) = outgoing(next(one for one in shop.backend.log if one.source == "order" and one.position == 2))
    headers = {f"ce-{name}": value for name, value in item.items() if name not in ("data", "datacontenttype")}
    assert headers == published.properties.headers
    assert item["data"] == json.loads(published.body)
    assert page["next"] == "2"


def test_an_event_that_is_newer_than_the_gateway_is_not_shown_as_something_else(shop: Shop) -> None:
    shop.backend.happen(placed("o1"))
    shop.backend.log[-1] = replace(shop.backend.log[-1], type="OrderPlaced.v99", _event=None)
    params = {"source": "order", "form": "cloudevents"}
    answer = shop.client.get("/v1/events", params=params, headers=shop.staff("subscriber"))
    assert (answer.status_code, answer.json()["code"]) == (503, "event-unknown")


def test_health_and_metrics(shop: Shop) -> None:
    assert shop.client.get("/healthz").status_code == 200
    shop.backend.parked = 3
    ready = shop.client.get("/readyz")
    assert (ready.status_code, ready.json()["warnings"]["parked"]) == (200, {"order": 3})
    shop.client.get("/v1/orders/o1")
    shop.client.get("/v1/orders/o2")
    shop.client.request("BREW", "/teapot")
    metrics = shop.client.get("/metrics").text
    assert 'kameng_http_requests_total{method="GET",route="/v1/orders/{order_id}",status="404"} 2.0' in metrics
    assert 'kameng_http_requests_total{method="other",route="unmatched",status="404"} 1.0' in metrics
    assert 'kameng_parked{service="order"} 3.0' in metrics
    assert 'kameng_log_lag{service="order",source="risk"} 0.0' in metrics
    shop.backend.lag = 1_000_000
    assert shop.client.get("/readyz").status_code == 503


def test_a_log_that_is_another_one_is_named(shop: Shop) -> None:
    shop.backend.diverged = ["risk has applied the log of order up to 9, but that log ends at 4"]
    shop.backend.halted = "its clock is 900 s ahead of the one it is compared with"

    ready = shop.client.get("/readyz")

    assert ready.status_code == 503
    assert ready.json()["status"] == "diverged"
    assert ready.json()["diverged"] == shop.backend.diverged
    assert ready.json()["halted"] == {"order": shop.backend.halted}


def test_an_event_that_must_be_known_is_named_and_one_passed_over_warned_of(shop: Shop) -> None:
    shop.backend.unknown = {"risk": {"CaseOpened.v9": 3}}
    warned = shop.client.get("/readyz")
    assert (warned.status_code, warned.json()["status"]) == (200, "ok")
    assert warned.json()["warnings"]["unknown"] == {"order": {"risk": ["CaseOpened.v9"]}}
    counted = 'kameng_events_unknown_total{service="order",source="risk",type="CaseOpened.v9"} 3.0'
    assert counted in shop.client.get("/metrics").text

    shop.backend.held = ["order applies the log of risk up to 4 only"]
    held = shop.client.get("/readyz")
    assert (held.status_code, held.json()["status"], held.json()["held"]) == (503, "held", shop.backend.held)


def test_the_description_names_every_route(shop: Shop) -> None:
    description = shop.client.get("/openapi.json").json()
    assert "/v1/orders/{order_id}/deliveries" in description["paths"]
    tags = {tag["name"] for tag in description["tags"]}
    for path, methods in description["paths"].items():
        for operation in methods.values():
            assert operation["summary"], path
            assert set(operation["tags"]) <= tags
    page = shop.client.get("/")
    assert "/docs" in page.text
    assert "卡盟" in page.text
