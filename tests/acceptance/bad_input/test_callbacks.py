"""What channels and suppliers tell is believed when it is signed and fits, and once."""

from __future__ import annotations

import json
from time import time
from typing import Any
from uuid import uuid4

import httpx
import pytest

from demo.shop import answer_of
from sandboxes.running import CHANNEL
from shared.contracts.fulfillment import SupplierDelivered
from shared.contracts.gateway import StatementUnread
from shared.contracts.ledger import CallbackRefused, PaymentOpened, PaymentReceived
from shared.security.signing import SIGNATURE_HEADER, TIMESTAMP_HEADER, sign
from tests.acceptance.bad_input.shop import WISH, Shop, problem


def _callback(shop: Shop, **changes: Any) -> dict[str, Any]:
    """A true callback of the payment that is waited for, but for the changes."""
    (opened,) = [one for one in shop.market.platform.events("ledger", PaymentOpened) if one.payment_id == shop.waiting]
    fields = {"callback_id": str(uuid4()), "payment_id": shop.waiting, "channel_ref": opened.channel_ref}
    return {**fields, "amount": 1_000, "currency": "CNY", "status": "paid", **changes}


def _call_back(
    shop: Shop, partner: str, body: bytes, *, age: float = 0, secret: bytes = b"", signed: bytes | None = None
) -> httpx.Response:
    kind, name = partner.split("/")
    moment = int(time() - age)
    secret = secret or shop.market.platform.secrets.get(f"{kind}-{name}")
    headers = {
        TIMESTAMP_HEADER: str(moment),
        SIGNATURE_HEADER: sign(secret, moment, body if signed is None else signed),
        "Content-Type": "application/json",
    }
    path = "payments" if kind == "channel" else "suppliers"
    return shop.ask("guest", "POST", f"/v1/{path}/callbacks/{name}", content=body, headers=headers)


def _nothing_but_refusals(shop: Shop, before: dict[str, int]) -> list[str]:
    """The reasons of the callbacks refused since; nothing else may have happened."""
    after = shop.market.platform.heads()
    assert {**after, "ledger": 0} == {**before, "ledger": 0}
    new = after["ledger"] - before["ledger"]
    refused = shop.market.platform.events("ledger", CallbackRefused)[-new:] if new else []
    assert len(refused) == new
    return [event.reason for event in refused]


@pytest.mark.parametrize(
    ("how", "status", "reason"),
    [
        ({"secret": b"x" * 32}, 401, "bad-signature"),
        ({"age": 3_600}, 401, "bad-signature"),
        ({"age": -3_600}, 401, "bad-signature"),
        ({"signed": b""}, 401, "bad-signature"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_callback_that_is_forged_is_refused(shop: Shop, how: dict[str, Any], status: int, reason: str) -> None:
    signing = {name: value for name, value in how.items() if name in ("secret", "age", "signed")}
    body = json.dumps(_callback(shop, **{name: how[name] for name in how.keys() - signing.keys()})).encode()
    before = shop.market.platform.heads()

    problem(_call_back(shop, f"channel/{CHANNEL}", body, **signing), status)

    assert _nothing_but_refusals(shop, before) == [reason]


@pytest.mark.parametrize(
    ("how", "status", "code"),
    [
        ({"amount": 1}, 422, "wrong-amount"),
        ({"amount": 1_000_000}, 422, "wrong-amount"),
        ({"currency": "USD"}, 422, "wrong-amount"),
        ({"channel_ref": "another"}, 409, "wrong-reference"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_money_that_does_not_fit_waits_for_staff(shop: Shop, how: dict[str, Any], status: int, code: str) -> None:
    body = json.dumps(callback := _callback(shop, **how)).encode()

    assert problem(_call_back(shop, f"channel/{CHANNEL}", body), status)["code"] == code

    waiting = answer_of(shop.ask("finance", "GET", "/v1/payments/unmatched"))["items"]
    said = {"amount": callback["amount"], "currency": callback["currency"]}
    (item,) = [it for it in waiting if (it["amount"], it["channel_ref"]) == (said, callback["channel_ref"])]
    assert item["payment_id"] == shop.waiting
    payment = answer_of(shop.ask("finance", "GET", f"/v1/payments/{shop.waiting}"))
    assert payment["status"] == "unmatched"
    assert payment["reason"] == item["reason"]


UNREADABLE = (b"", b"{}", b"[" * 100_000, b"\xff", b'{"amount": -1}')


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("body", UNREADABLE)
def test_a_callback_that_can_not_be_read_is_refused_when_its_signature_is_wrong(shop: Shop, body: bytes) -> None:
    problem(_call_back(shop, f"channel/{CHANNEL}", body, secret=b"x" * 32), 401)
    problem(_call_back(shop, "supplier/beta", body, secret=b"x" * 32), 401)


@pytest.mark.parametrize("body", UNREADABLE)
def test_a_signed_callback_that_can_not_be_read_is_kept_once_for_staff(shop: Shop, body: bytes) -> None:
    def kept() -> list[StatementUnread]:
        return shop.market.platform.events("gateway", StatementUnread)

    before = len(kept())
    for partner in (f"channel/{CHANNEL}", "supplier/beta") * 2:
        problem(_call_back(shop, partner, body), 422)

    assert [one.partner for one in kept()[before:]] == [CHANNEL, "beta"]


@pytest.mark.usefixtures("unchanged")
def test_a_callback_without_a_known_partner_or_signature_is_refused(shop: Shop) -> None:
    body = json.dumps(_callback(shop)).encode()
    problem(_call_back(shop, "channel/no-such", body, secret=b"x" * 32), 404)
    problem(_call_back(shop, "supplier/no-such", body, secret=b"x" * 32), 404)
    problem(shop.ask("guest", "POST", "/v1/suppliers/callbacks/beta", content=b"{}"), 401)
    for moment in ("", "x", "-1", "9" * 30, "١٢٣".encode().decode("latin-1")):
        headers = {TIMESTAMP_HEADER: moment.encode("latin-1"), SIGNATURE_HEADER: b"v1=00"}
        problem(shop.ask("guest", "POST", "/v1/suppliers/callbacks/beta", content=body, headers=headers), 401)


@pytest.mark.usefixtures("unchanged")
def test_a_suppliers_callback_is_believed_with_its_own_signature_only(shop: Shop) -> None:
    (done,) = shop.market.platform.events("fulfillment", SupplierDelivered)
    report = {"request_id": f"{shop.bought}/1#beta", "outcome": "done", "supplier_ref": done.supplier_ref}
    body = json.dumps({**report, "cost": done.cost.model_dump()}).encode()
    problem(_call_back(shop, "supplier/beta", body, secret=b"x" * 32), 401)
    problem(_call_back(shop, "supplier/beta", body, secret=shop.market.platform.secrets.get(f"channel-{CHANNEL}")), 401)
    answer_of(_call_back(shop, "supplier/beta", body))  # true, and reported before


def test_what_a_supplier_tells_of_anothers_purchase_is_kept_for_staff(shop: Shop) -> None:
    before = shop.market.platform.events("gateway", StatementUnread)
    report = {"request_id": f"{shop.bought}/1#beta", "outcome": "failed", "reason": "sold out"}

    assert problem(_call_back(shop, "supplier/alpha", json.dumps(report).encode()), 422)["code"] == "wrong-supplier"

    (kept,) = shop.market.platform.events("gateway", StatementUnread)[len(before) :]
    assert (kept.kind, kept.partner) == ("supplier", "alpha")


def _paid(shop: Shop) -> PaymentReceived:
    """A payment of a new order, that was made."""
    market = shop.market
    guest = market.run(market.builder.guest(77))
    order_id = market.run(guest.place([WISH], payment=CHANNEL))["order_id"]
    market.run(guest.pay_link(order_id))
    market.run(market.builder.channel.pay(order_id))
    market.run(guest.ended(order_id, "completed"))
    market.run(market.settled(shop.waiting))
    (paid,) = [one for one in market.platform.events("ledger", PaymentReceived) if one.payment_id == order_id]
    return paid


def test_a_callback_again_pays_once(shop: Shop) -> None:
    paid = _paid(shop)
    fields = {"payment_id": paid.payment_id, "channel_ref": paid.channel_ref}
    before = shop.market.platform.heads()

    same = json.dumps(_callback(shop, callback_id=paid.callback_id, **fields)).encode()
    assert answer_of(_call_back(shop, f"channel/{CHANNEL}", same))["outcome"] == "already-received"
    assert _nothing_but_refusals(shop, before) == []


@pytest.mark.parametrize(("payment_id", "status"), [("", 409), ("no-such-payment", 404)])
def test_a_callback_under_anothers_reference_moves_nothing_and_waits_for_staff(
    shop: Shop, payment_id: str, status: int
) -> None:
    paid = _paid(shop)
    callback = _callback(shop, channel_ref=paid.channel_ref, payment_id=payment_id or shop.waiting)

    problem(_call_back(shop, f"channel/{CHANNEL}", json.dumps(callback).encode()), status)

    waiting = answer_of(shop.ask("finance", "GET", "/v1/payments/unmatched"))["items"]
    (item,) = [
        it for it in waiting if (it["payment_id"], it["channel_ref"]) == (callback["payment_id"], paid.channel_ref)
    ]
    assert (item["reason"], item["booked"]) == ("anothers-reference", False)
