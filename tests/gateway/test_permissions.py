"""Every route by every role: a new route fails here until somebody says who may use it."""

from __future__ import annotations

from typing import Any, get_args

import pytest
from fastapi.routing import APIRoute

from shared.contracts.fulfillment import OpenGoods, OpenReport
from shared.contracts.gateway import Role, RotateWebhookSecret
from shared.messages.messages import Reply
from tests.gateway.builders import Shop, customer_registered, line, listed, open_shop, placed

ROLES: tuple[Role, ...] = get_args(Role)
EVERYBODY = frozenset({"guest", "customer", *ROLES})
OPERATIONS = frozenset({"operations", "administrator"})
CARE = frozenset({"operations", "support", "administrator"})
SUPPORT = frozenset({"support", "administrator"})
MONEY = frozenset({"finance", "administrator"})
SUPPORT_OR_FINANCE = frozenset({"support", "finance", "administrator"})
STAFF = frozenset(ROLES) - {"subscriber"}
ADMINISTRATOR = frozenset({"administrator"})
OWN = frozenset({"customer"})
ID = "0191d9a1-5b0a-7c3e-8f00-000000000001"

# method, path, body -> who may. The customer asks for what is their own.
ROUTES: dict[tuple[str, str], tuple[str, Any, frozenset[str]]] = {
    ("GET", "/"): ("/", None, EVERYBODY),
    ("GET", "/orders/{order_id}"): ("/orders/any", None, EVERYBODY),
    ("GET", "/healthz"): ("/healthz", None, EVERYBODY),
    ("GET", "/readyz"): ("/readyz", None, EVERYBODY),
    ("GET", "/metrics"): ("/metrics", None, EVERYBODY),
    ("POST", "/v1/sessions"): ("/v1/sessions", {}, EVERYBODY),
    ("POST", "/v1/customers"): ("/v1/customers", {}, EVERYBODY),
    ("GET", "/v1/staff"): ("/v1/staff", None, ADMINISTRATOR),
    ("POST", "/v1/staff"): (
        "/v1/staff", {"username": "x", "role": "support", "password": "p" * 12}, ADMINISTRATOR
    ),
    ("DELETE", "/v1/staff/{username}"): ("/v1/staff/x", None, ADMINISTRATOR),
    ("GET", "/v1/products"): ("/v1/products", None, EVERYBODY),
    ("GET", "/v1/products/{sku:path}"): ("/v1/products/STEAM-50", None, EVERYBODY),
    ("PATCH", "/v1/products/{sku:path}"): ("/v1/products/STEAM-50", {"on_sale": True}, OPERATIONS),
    ("POST", "/v1/imports/products"): ("/v1/imports/products", "file", OPERATIONS),
    ("POST", "/v1/imports/keys"): ("/v1/imports/keys", "file", OPERATIONS),
    ("GET", "/v1/imports/templates/{kind}"): ("/v1/imports/templates/keys", None, OPERATIONS),
    ("GET", "/v1/imports/{import_id}"): (f"/v1/imports/{ID}", None, OPERATIONS),
    ("GET", "/v1/imports/{import_id}/fates"): (f"/v1/imports/{ID}/fates", None, OPERATIONS),
    ("POST", "/v1/orders"): (
        "/v1/orders",
        {"wishes": [{"sku": "S", "quantity": 1}], "payment": "alipay"},
        EVERYBODY - {"finance", "subscriber"},
    ),
    ("GET", "/v1/orders"): ("/v1/orders", None, STAFF | OWN),
    ("GET", "/v1/orders/{order_id}"): ("/v1/orders/o1", None, STAFF | OWN),
    ("GET", "/v1/orders/{order_id}/history"): ("/v1/orders/o1/history", None, STAFF | OWN),
    ("GET", "/v1/orders/{order_id}/deliveries"): ("/v1/orders/o1/deliveries", None, STAFF | OWN),
    ("POST", "/v1/orders/{order_id}/cancel"): ("/v1/orders/o1/cancel", {}, SUPPORT | OWN),
    ("POST", "/v1/orders/{order_id}/refunds"): ("/v1/orders/o1/refunds", {"reason": "r"}, SUPPORT_OR_FINANCE),
    ("POST", "/v1/orders/{order_id}/replacements"): (
        "/v1/orders/o1/replacements", {"line": 1, "number": 1, "reason": "r"}, SUPPORT
    ),
    ("GET", "/v1/wallets/{customer}"): ("/v1/wallets/c1", None, SUPPORT_OR_FINANCE | OWN),
    ("POST", "/v1/wallets/{customer}/deposits"): (
        "/v1/wallets/c1/deposits", {"amount": {"amount": 1}, "channel": "alipay"}, MONEY | OWN
    ),
    ("GET", "/v1/payments/{payment_id}"): ("/v1/payments/none", None, SUPPORT_OR_FINANCE),
    ("GET", "/v1/payments/unmatched"): ("/v1/payments/unmatched", None, SUPPORT_OR_FINANCE),
    ("GET", "/v1/payments/failed-returns"): ("/v1/payments/failed-returns", None, SUPPORT_OR_FINANCE),
    ("GET", "/v1/payments/not-closed"): ("/v1/payments/not-closed", None, SUPPORT_OR_FINANCE),
    ("POST", "/v1/payments/{payment_id}/close"): ("/v1/payments/o1/close", None, SUPPORT_OR_FINANCE),
    ("POST", "/v1/payments/unmatched/{item}/match"): ("/v1/payments/unmatched/i1/match", {}, MONEY),
    ("POST", "/v1/payments/unmatched/{item}/return"): ("/v1/payments/unmatched/i1/return", {}, SUPPORT_OR_FINANCE),
    ("POST", "/v1/payments/unmatched/{item}/settlement"): (
        "/v1/payments/unmatched/i1/settlement", {"note": "n"}, MONEY
    ),
    ("POST", "/v1/payments/{payment_id}/returns/{return_id:path}/retry"): (
        "/v1/payments/o1/returns/r1/retry", None, SUPPORT_OR_FINANCE
    ),
    ("POST", "/v1/payments/{payment_id}/returns/{return_id:path}/by-hand"): (
        "/v1/payments/o1/returns/r1/by-hand", {"note": "n"}, MONEY
    ),
    ("POST", "/v1/payments/callbacks/{channel}"): ("/v1/payments/callbacks/alipay", {}, frozenset()),
    ("GET", "/v1/payments/unread"): ("/v1/payments/unread", None, SUPPORT_OR_FINANCE),
    ("POST", "/v1/payments/unread/{statement_id}/settlement"): (
        "/v1/payments/unread/channel-1/settlement", {"note": "n"}, MONEY
    ),
    ("GET", "/v1/suppliers/unread"): ("/v1/suppliers/unread", None, STAFF),
    ("POST", "/v1/suppliers/unread/{statement_id}/settlement"): (
        "/v1/suppliers/unread/supplier-1/settlement", {"note": "n"}, OPERATIONS | MONEY
    ),
    ("POST", "/v1/suppliers/callbacks/{supplier}"): ("/v1/suppliers/callbacks/north", {}, frozenset()),
    ("GET", "/v1/ledger/trial-balance"): ("/v1/ledger/trial-balance", None, MONEY),
    ("GET", "/v1/ledger/accounts/{account:path}/entries"): (
        "/v1/ledger/accounts/wallet:c1/entries", None, MONEY
    ),
    ("POST", "/v1/ledger/entries"): (
        "/v1/ledger/entries",
        {"postings": [{"account": "a", "amount": 1}, {"account": "b", "amount": -1}], "note": "n"},
        MONEY,
    ),
    ("POST", "/v1/ledger/entries/{entry_id}/reversal"): ("/v1/ledger/entries/e1/reversal", {"note": "n"}, MONEY),
    ("GET", "/v1/risk/cases"): ("/v1/risk/cases", None, CARE),
    ("POST", "/v1/risk/cases/{order_id}/decision"): ("/v1/risk/cases/o1/decision", {"decision": "pass"}, CARE),
    ("GET", "/v1/risk/lists"): ("/v1/risk/lists", None, CARE),
    ("POST", "/v1/risk/lists"): (
        "/v1/risk/lists", {"list": "block", "dimension": "ip", "value": "192.0.2.1", "reason": "r"}, OPERATIONS
    ),
    ("DELETE", "/v1/risk/lists/{entry:path}"): ("/v1/risk/lists/ip:192.0.2.1?reason=r", None, OPERATIONS),
    ("GET", "/v1/suppliers/statements"): ("/v1/suppliers/statements", None, STAFF),
    ("POST", "/v1/suppliers/statements/{delivery_id:path}/s{number}/settlement"): (
        "/v1/suppliers/statements/o1/1/s1/settlement",
        {"decision": "cost", "note": "n"},
        frozenset({"operations", "finance", "administrator"}),
    ),
    ("POST", "/v1/suppliers/statements/{delivery_id:path}/s{number}/goods"): (
        "/v1/suppliers/statements/o1/1/s1/goods", {"note": "n"}, frozenset({"operations", "finance", "administrator"})
    ),
    ("GET", "/v1/suppliers/reports"): ("/v1/suppliers/reports", None, STAFF),
    ("POST", "/v1/suppliers/reports/{delivery_id:path}/r{number}/goods"): (
        "/v1/suppliers/reports/o1/1/r1/goods", {"note": "n"}, frozenset({"operations", "finance", "administrator"})
    ),
    ("GET", "/v1/deliveries/handovers"): ("/v1/deliveries/handovers", None, CARE),
    ("POST", "/v1/deliveries/handovers/{delivery_id:path}/resolution"): (
        "/v1/deliveries/handovers/o1/1/resolution", {"delivered": True, "note": "n"}, CARE
    ),
    ("GET", "/v1/notifications"): ("/v1/notifications", None, CARE),
    ("GET", "/v1/events"): ("/v1/events", None, OPERATIONS | {"subscriber"}),
    ("GET", "/v1/webhooks"): ("/v1/webhooks", None, ADMINISTRATOR),
    ("POST", "/v1/webhooks"): ("/v1/webhooks", {"url": "https://8.8.8.8/", "events": ["*"]}, ADMINISTRATOR),
    ("GET", "/v1/webhooks/{endpoint_id}"): ("/v1/webhooks/e1", None, ADMINISTRATOR),
    ("PATCH", "/v1/webhooks/{endpoint_id}"): ("/v1/webhooks/e1", {"name": "n"}, ADMINISTRATOR),
    ("DELETE", "/v1/webhooks/{endpoint_id}"): ("/v1/webhooks/e1", None, ADMINISTRATOR),
    ("POST", "/v1/webhooks/{endpoint_id}/secret"): ("/v1/webhooks/e1/secret", {}, ADMINISTRATOR),
    ("POST", "/v1/webhooks/{endpoint_id}/enable"): ("/v1/webhooks/e1/enable", None, ADMINISTRATOR),
    ("POST", "/v1/webhooks/{endpoint_id}/disable"): ("/v1/webhooks/e1/disable", None, ADMINISTRATOR),
    ("POST", "/v1/webhooks/{endpoint_id}/ping"): ("/v1/webhooks/e1/ping", None, ADMINISTRATOR),
    ("POST", "/v1/webhooks/{endpoint_id}/redrive"): (
        "/v1/webhooks/e1/redrive", {"failed": True}, ADMINISTRATOR
    ),
    ("GET", "/v1/webhooks/{endpoint_id}/attempts"): ("/v1/webhooks/e1/attempts", None, ADMINISTRATOR),
    ("GET", "/v1/webhooks/{endpoint_id}/deliveries"): ("/v1/webhooks/e1/deliveries", None, ADMINISTRATOR),
}  # fmt: skip
REFUSED = {401, 403}
HIDDEN = {("guest", path) for path in ("/v1/orders/o1", "/v1/orders/o1/history", "/v1/orders/o1/deliveries")}
HIDDEN |= {("guest", "/v1/orders/o1/cancel"), ("guest", "/v1/payments/none"), ("customer", "/v1/payments/none")}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    shop = open_shop(tmp_path_factory.mktemp("shop"))
    shop.backend.happen(listed(), customer_registered("c1"), placed("o1", "c1", lines=(line(),)))
    for kind in (OpenGoods, OpenReport):
        shop.backend.answers[kind] = Reply("refused", "fulfillment", 0, code="no-goods", status=404)
    shop.backend.answers[RotateWebhookSecret] = Reply("accepted", "gateway", 1, {"generation": 2})
    return shop


def ask(shop: Shop, method: str, path: str, body: Any, who: str) -> Any:
    headers = {"guest": {}, "customer": shop.customer("c1")}.get(who)
    if headers is None:
        headers = shop.staff(next(role for role in ROLES if role == who))
    headers = {**headers, "Idempotency-Key": f"key-of-{who:-<20}"}
    if body == "file":
        return shop.client.request(method, path, files={"file": ("a.csv", b"sku\n")}, headers=headers)
    return shop.client.request(method, path, json=body, headers=headers)


@pytest.mark.parametrize("who", sorted(EVERYBODY))
@pytest.mark.parametrize("route", ROUTES, ids=" ".join)
def test_who_may_do_what(shop: Shop, route: tuple[str, str], who: str) -> None:
    path, body, allowed = ROUTES[route]
    before = len(shop.backend.sent)
    answer = ask(shop, route[0], path, body, who)
    assert answer.status_code != 500, answer.text
    if who in allowed:
        assert answer.status_code not in REFUSED, answer.text
    else:
        expected = {404} if (who, path) in HIDDEN else REFUSED
        assert answer.status_code in expected, answer.text
        assert len(shop.backend.sent) == before
        assert answer.status_code != 401 or "Bearer" in answer.headers.get("WWW-Authenticate", "Bearer")


def routes_of(routes: list[Any], prefix: str = "") -> set[tuple[str, str]]:
    found: set[tuple[str, str]] = set()
    for route in routes:
        if isinstance(route, APIRoute):
            found |= {(method, prefix + route.path) for method in route.methods or ()}
        elif inner := getattr(getattr(route, "original_router", None), "routes", None):
            found |= routes_of(inner)
    return found


def test_no_route_is_forgotten(shop: Shop) -> None:
    assert routes_of(shop.client.app.routes) == set(ROUTES)


def test_a_customer_sees_no_other_wallet(shop: Shop) -> None:
    for method, path, body in (
        ("GET", "/v1/wallets/c2", None),
        ("POST", "/v1/wallets/c2/deposits", {"amount": {"amount": 1}, "channel": "alipay"}),
    ):
        assert ask(shop, method, path, body, "customer").status_code == 404


def test_buyers_see_no_cost(shop: Shop) -> None:
    for who in EVERYBODY:
        text = ask(shop, "GET", "/v1/products/STEAM-50", None, who).text
        assert ('"cost"' in text and "north" in text) is (who in OPERATIONS | MONEY)
