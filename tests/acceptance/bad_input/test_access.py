"""Without permission a request is refused, and its answer says nothing of what exists."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from sandboxes.running import CHANNEL
from services.gateway.access.auth import Principal, issue
from tests.acceptance.bad_input.shop import Shop, problem


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize(
    ("who", "method", "path", "status"),
    [
        ("guest", "GET", "/v1/orders", 401),
        ("guest", "GET", "/v1/events", 401),
        ("guest", "POST", "/v1/imports/products", 401),
        ("alice", "GET", "/v1/events", 403),
        ("alice", "GET", "/v1/notifications", 403),
        ("alice", "GET", "/v1/ledger/trial-balance", 403),
        ("alice", "POST", "/v1/orders/{done}/refunds", 403),
        ("alice", "POST", "/v1/orders/{done}/replacements", 403),
        ("alice", "POST", "/v1/risk/cases/{done}/decision", 403),
        ("alice", "POST", "/v1/staff", 403),
        ("operations", "POST", "/v1/orders/{done}/refunds", 403),
        ("operations", "POST", "/v1/ledger/entries", 403),
        ("support", "GET", "/v1/events", 403),
        ("support", "POST", "/v1/imports/keys", 403),
        ("support", "PATCH", "/v1/products/CARD", 403),
        ("finance", "POST", "/v1/orders/{done}/replacements", 403),
        ("finance", "DELETE", "/v1/staff/admin", 403),
        ("administrator", "DELETE", "/v1/staff/admin", 409),
    ],
)
def test_a_role_does_only_what_is_its_own(shop: Shop, who: str, method: str, path: str, status: int) -> None:
    problem(shop.ask(who, method, path), status)


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("who", ["bob", "guest"])
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/orders/{done}"),
        ("GET", "/v1/orders/{done}/history"),
        ("GET", "/v1/orders/{done}/deliveries"),
        ("POST", "/v1/orders/{done}/cancel"),
        ("GET", "/v1/payments/{done}"),
    ],
)
def test_anothers_order_is_not_there(shop: Shop, who: str, method: str, path: str) -> None:
    arguments = {} if method == "GET" else {"json": {}}
    problem(shop.ask(who, method, path, **arguments), 404)
    problem(shop.ask(who, method, path, headers={"Order-Secret": "x" * 43}, **arguments), 404, 429)


@pytest.mark.usefixtures("unchanged")
def test_anothers_wallet_is_not_there(shop: Shop) -> None:
    problem(shop.ask("bob", "GET", "/v1/wallets/{alice}"), 404)
    body = {"amount": {"amount": 100}, "channel": CHANNEL}
    problem(shop.ask("bob", "POST", "/v1/wallets/{alice}/deposits", json=body), 404)


def _token(shop: Shop, principal: Principal, hours: float = 0, secret: bytes = b"") -> str:
    moment = datetime.now(UTC) - timedelta(hours=hours)
    return issue(secret or shop.market.platform.secrets.get("tokens"), principal, moment)[0]


def _altered(token: str) -> str:
    other = "A" if token[-6] != "A" else "B"
    return token[:-6] + other + token[-5:]


ADMIN = Principal("staff", "admin", "administrator")
TOKENS: dict[str, Callable[[Shop], str]] = {
    "over": lambda shop: f"Bearer {_token(shop, ADMIN, hours=12.01)}",
    "altered": lambda shop: f"Bearer {_altered(_token(shop, ADMIN))}",
    "of another secret": lambda shop: f"Bearer {_token(shop, ADMIN, secret=b'x' * 32)}",
    "unsigned": lambda shop: f"Bearer {_token(shop, ADMIN).partition('.')[0]}.",
    "another's signature": lambda shop: (
        f"Bearer {_token(shop, ADMIN).partition('.')[0]}.{_token(shop, Principal('customer', 'c')).partition('.')[2]}"
    ),
    "of somebody who is not on the staff": lambda shop: (
        f"Bearer {_token(shop, Principal('staff', 'nobody', 'administrator'))}"
    ),
    "of another role": lambda shop: f"Bearer {_token(shop, Principal('staff', 'demo-support', 'administrator'))}",
    "nothing": lambda shop: "Bearer",
    "a password": lambda shop: "Basic YWRtaW46YWRtaW4=",
    "a dot": lambda shop: "Bearer .",
    "not ASCII": lambda shop: "Bearer \xff\xfe.\xff",
}


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("token", TOKENS.values(), ids=TOKENS)
def test_a_token_that_does_not_hold_is_refused(shop: Shop, token: Callable[[Shop], str]) -> None:
    headers = {"Authorization": token(shop).encode("latin-1")}
    refusal = problem(shop.ask("guest", "GET", "/v1/events", headers=headers), 401)
    assert refusal["code"] == "bad-token"
