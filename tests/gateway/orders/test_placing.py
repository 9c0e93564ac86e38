from __future__ import annotations

import json
from typing import Any

import pytest

from services.gateway.http.context import derived_id
from services.gateway.orders.buyers import order_secret
from services.order.domain import Market, decide
from services.order.domain import Order as OrderState
from shared.contracts import Decided, DecisionContext, Metadata
from shared.contracts import ledger as led
from shared.contracts.order import PlaceOrder
from shared.messages.messages import NobodyDecides, Reply
from tests.amounts import yuan
from tests.gateway.builders import Shop, customer_registered, placed
from tests.gateway.orders.builders import GUEST_KEY, WISHES, place
from tests.order.builders import LISTINGS, NOW, TIME_LIMITS


def test_a_customer_places_an_order_and_reads_it_at_once(shop: Shop) -> None:
    answer = place(shop, shop.customer("c1"))
    assert answer.status_code == 201
    body = answer.json()
    assert (body["status"], body["customer"], body["total"]) == ("placed", "c1", {"amount": 10000, "currency": "CNY"})
    command: PlaceOrder = shop.backend.last
    assert (command.customer, command.ip, command.payment) == ("c1", "192.0.2.7", "wallet")
    assert answer.headers["Location"] == f"/v1/orders/{command.order_id}"
    read = shop.client.get(answer.headers["Location"], headers=shop.customer("c1"))
    assert read.json() == {name: value for name, value in body.items() if name != "secret"}


def test_a_new_order_is_answered_from_the_reply_as_the_read_models_will_show_it(shop: Shop) -> None:
    shop.backend.is_behind = True
    wishes = [{"sku": "card", "quantity": 5}, {"sku": "topup", "quantity": 1, "target": "13800138000"}]
    asked = {"wishes": wishes, "payment": "alipay"}
    assert place(shop, {}, key=GUEST_KEY, **asked).json()["status"] == "placed"
    context = DecisionContext(NOW, "c", Metadata(correlation_id="f", causation_id="c"), Market(LISTINGS, TIME_LIMITS))
    decided = decide(shop.backend.last, OrderState(), context)
    assert isinstance(decided, Decided)
    shop.backend.answers[PlaceOrder] = Reply("accepted", "order", 1, json.loads(json.dumps(decided.answer)))

    answered = place(shop, {}, key=GUEST_KEY, **asked).json()

    shop.backend.is_behind = False
    shop.backend.happen(*decided.events)
    secret = answered.pop("secret")
    shown = shop.client.get(f"/v1/orders/{answered['order_id']}", headers={"Order-Secret": secret}).json()
    assert {**answered, "placed_at": shown["placed_at"]} == shown


def test_the_same_key_is_the_same_command(shop: Shop) -> None:
    place(shop, shop.customer("c1"))
    shop.backend.answers[PlaceOrder] = Reply("accepted", "order", 1, repeated=True)
    again = place(shop, shop.customer("c1"))
    assert (again.status_code, again.headers["Idempotency-Replayed"]) == (200, "true")
    first, second = shop.backend.sent
    assert (first.id, first.command) == (second.id, second.command)
    place(shop, shop.customer("c1"), key="k2")
    place(shop, shop.customer("c2"))
    assert len({message.id for message in shop.backend.sent}) == 3
    assert len({message.command.order_id for message in shop.backend.sent}) == 3  # type: ignore[attr-defined]


def test_an_order_the_order_service_knew_is_a_replay(shop: Shop) -> None:
    shop.backend.answers[PlaceOrder] = Reply("accepted", "order", 1, {"repeated": True})
    assert place(shop, shop.customer()).status_code == 200


def test_a_channels_own_number_names_the_order(shop: Shop) -> None:
    shop.backend.happen(customer_registered("c1"))
    fields = {"sales_channel": "taobao", "channel_order_no": "T-1"}
    first = place(shop, shop.staff("support"), key="a", customer="c1", **fields).json()["order_id"]
    shop.backend.answers[PlaceOrder] = Reply("accepted", "order", 1, repeated=True)
    assert place(shop, shop.staff("support"), key="b", customer="c1", **fields).json()["order_id"] == first


def test_a_customers_own_numbers_take_nobody_elses(shop: Shop) -> None:
    shop.backend.happen(customer_registered("c3"))
    fields = {"sales_channel": "taobao", "channel_order_no": "T-1"}
    callers = (shop.customer("c1"), shop.customer("c2"), shop.staff("support"))
    orders = [place(shop, caller, **fields) for caller in callers]
    assert [order.status_code for order in orders] == [201] * 3
    assert len({order.json()["order_id"] for order in orders}) == 3
    again = place(shop, shop.customer("c1"), key="k2", **fields)
    assert again.json()["order_id"] == orders[0].json()["order_id"]


def test_a_number_that_a_customer_took_when_all_shared_them_is_still_their_order(shop: Shop) -> None:
    fields = {"sales_channel": "taobao", "channel_order_no": "T-1"}
    shared = derived_id("order", "main", "taobao", "T-1")
    shop.backend.happen(placed(shared, "c1", payment="alipay"), actor="customer:c1")
    shop.backend.answers[PlaceOrder] = Reply("accepted", "order", 1, {"repeated": True})
    again = place(shop, shop.customer("c1"), **fields)
    assert (again.status_code, again.json()["order_id"]) == (200, shared)
    assert again.json()["secret"] == order_secret(shop.backend.secrets, shared)
    del shop.backend.answers[PlaceOrder]
    assert place(shop, shop.customer("c2"), **fields).json()["order_id"] != shared


def test_nobody_but_who_placed_the_order_gets_its_secret(shop: Shop) -> None:
    fields = {"sales_channel": "taobao", "channel_order_no": "T-1", "customer": "c1", "payment": "alipay"}
    shared = derived_id("order", "main", "taobao", "T-1")
    shop.backend.happen(customer_registered("c1"), placed(shared, "c1", payment="alipay"), actor="customer:c1")
    shop.backend.answers[PlaceOrder] = Reply("accepted", "order", 1, {"repeated": True})
    for role in ("support", "operations"):
        answer = place(shop, shop.staff(role), **fields)
        assert (answer.status_code, answer.json()["order_id"]) == (200, shared)
        assert "secret" not in answer.json()


def test_staff_who_place_an_order_for_a_customer_do_not_get_its_secret(shop: Shop) -> None:
    shop.backend.happen(customer_registered("c1"))
    for fields in ({}, {"sales_channel": "taobao", "channel_order_no": "T-1"}):
        for role in ("support", "operations", "administrator"):
            answer = place(shop, shop.staff(role), customer="c1", **fields)
            assert (answer.status_code, "secret" in answer.json()) == (201, False)
        shop.backend.answers[PlaceOrder] = Reply("accepted", "order", 1, repeated=True)
        again = place(shop, shop.staff("support"), customer="c1", **fields)
        assert (again.status_code, "secret" in again.json()) == (200, False)
        del shop.backend.answers[PlaceOrder]


@pytest.mark.parametrize("fields", [{}, {"sales_channel": "taobao", "channel_order_no": "T-1"}])
def test_who_placed_an_order_for_a_buyer_without_an_account_gets_its_secret_again(
    shop: Shop, fields: dict[str, Any]
) -> None:
    fields = {**fields, "payment": "alipay"}
    first = place(shop, shop.staff("support"), key="a", **fields).json()
    assert first["secret"] == order_secret(shop.backend.secrets, first["order_id"])
    shop.backend.answers[PlaceOrder] = Reply("accepted", "order", 1, repeated=True)
    assert place(shop, shop.staff("support"), key="a", **fields).json()["secret"] == first["secret"]


def test_other_staff_do_not_get_the_secret_however_often_they_send_its_number(shop: Shop) -> None:
    fields = {"sales_channel": "taobao", "channel_order_no": "T-1", "payment": "alipay"}
    first = place(shop, shop.staff("support"), key="a", **fields).json()
    for repeated in (False, True):  # a command that is sent again has the answer of the first time
        shop.backend.answers[PlaceOrder] = Reply("accepted", "order", 1, {"repeated": True}, repeated=repeated)
        assert place(shop, shop.staff("support"), key="b", **fields).json()["secret"] == first["secret"]
        other = place(shop, shop.staff("operations"), key="c", **fields)
        assert (other.json()["order_id"], "secret" in other.json()) == (first["order_id"], False)


@pytest.mark.parametrize(
    ("outcome", "status", "code"),
    [
        (Reply("conflict", "order", 0), 409, "idempotency-conflict"),
        (Reply("refused", "order", 0, code="off-sale", detail="no", status=409, facts={"sku": "S"}), 409, "off-sale"),
        (Reply("failed", "order", 0, detail="ZeroDivisionError at 0x7f"), 500, "not-decided"),
        (TimeoutError(), 504, "outcome-unknown"),
        (NobodyDecides("nobody decides for order now"), 503, "not-deciding"),
    ],
)
def test_every_other_outcome_is_a_problem(shop: Shop, outcome: Any, status: int, code: str) -> None:
    shop.backend.answers[PlaceOrder] = outcome
    answer = place(shop, shop.customer())
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers["content-type"] == "application/problem+json"
    assert "ZeroDivisionError" not in answer.text
    assert ("Retry-After" in answer.headers) == (status == 503)
    if code == "off-sale":
        assert answer.json()["facts"] == {"sku": "S"}


BAD_BODIES: list[dict[str, Any]] = [
    {"wishes": []},
    {"wishes": WISHES, "total": 1},
    {"wishes": [{**WISHES[0], "unit_price": 1}]},
    {"wishes": WISHES * 101},
    {"wishes": WISHES, "expected_total": {"amount": -1}},
    {"wishes": WISHES, "expected_total": {"amount": 1.0}},
    {"wishes": WISHES, "email": "no address"},
    {"wishes": WISHES, "email": "a@b\r\nBcc: c@d"},
    {"wishes": WISHES, "locale": "fr"},
    {"wishes": WISHES, "payment": "x' OR 1=1--"},
    {"wishes": WISHES, "order_id": "mine"},
    {"wishes": WISHES, "agent": "c1"},
    *(
        {"wishes": [{"sku": "S", "quantity": quantity}]}
        for quantity in (0, -1, 1.5, 1.0, "1", True, None, 10_001, 1e400)
    ),
    *({"wishes": [{"sku": sku, "quantity": 1}]} for sku in ("", "a b", "{{7*7}}", "a\x00", "x" * 81, 5, None)),
]


@pytest.mark.parametrize("body", BAD_BODIES, ids=repr)
def test_a_wish_out_of_form_is_refused(shop: Shop, body: dict[str, Any]) -> None:
    answer = shop.client.post(
        "/v1/orders",
        content=json.dumps(body),
        headers={"Idempotency-Key": "k", "Content-Type": "application/json", **shop.customer()},
    )
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert shop.backend.sent == []


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b'{"wishes": "\\ud800"}', b"[" * 100_000, b"\xff\xfe"])
def test_what_is_no_json_is_refused(shop: Shop, content: bytes) -> None:
    headers = {"Idempotency-Key": "k", "Content-Type": "application/json", **shop.customer()}
    answer = shop.client.post("/v1/orders", content=content, headers=headers)
    assert answer.status_code in (400, 422)
    assert answer.headers["content-type"] == "application/problem+json"


def test_an_order_needs_a_key(shop: Shop) -> None:
    answer = shop.client.post("/v1/orders", json={"wishes": WISHES}, headers=shop.customer())
    assert (answer.status_code, answer.json()["code"]) == (400, "idempotency-key-required")


def test_a_guest_pays_by_a_channel_and_reads_with_the_secret(shop: Shop) -> None:
    placed_order = place(shop, {}, key=GUEST_KEY, payment="alipay").json()
    order_id, secret = placed_order["order_id"], placed_order["secret"]
    assert placed_order["channel_payment"] == {
        "payment_id": order_id,
        "status": "requested",
        "pay_url": None,
        "reason": None,
    }
    shop.backend.happen(
        led.PaymentRequested(
            payment_id=order_id, account=f"order:{order_id}", amount=yuan(100), channel="alipay", order_id=order_id
        ),
        led.PaymentOpened(payment_id=order_id, channel_ref="r", pay_url="https://pay.example/1"),
    )
    order = shop.client.get(f"/v1/orders/{order_id}", headers={"Order-Secret": secret}).json()
    assert order["channel_payment"]["pay_url"] == "https://pay.example/1"
    payment = shop.client.get(f"/v1/payments/{order_id}", headers={"Order-Secret": secret})
    assert payment.json()["status"] == "open"
    assert shop.client.get(f"/v1/payments/{order_id}").status_code == 404


@pytest.mark.parametrize(
    ("key", "body", "status", "code"),
    [
        (GUEST_KEY, {"payment": "cash"}, 422, "unknown-channel"),
        (GUEST_KEY, {"payment": "wallet"}, 401, "sign-in-required"),
        ("short", {"payment": "alipay"}, 422, "weak-idempotency-key"),
        (GUEST_KEY, {"payment": "alipay", "channel_order_no": "T-1"}, 401, "sign-in-required"),
        (GUEST_KEY, {"payment": "alipay", "customer": "c1"}, 403, "forbidden"),
    ],
)
def test_what_guests_may_not(shop: Shop, key: str, body: dict[str, Any], status: int, code: str) -> None:
    answer = place(shop, {}, key=key, **body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_a_customer_orders_for_nobody_else(shop: Shop) -> None:
    assert place(shop, shop.customer("c1"), customer="c2").status_code == 403
