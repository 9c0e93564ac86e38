from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from shared.contracts import Money
from shared.contracts.fulfillment import RecordPurchase
from shared.contracts.gateway import RecordUnread
from shared.contracts.ledger import RecordCallback
from shared.messages.messages import Reply
from shared.security.sealing import Opener, keypair_from_secret
from shared.security.signing import SIGNATURE_HEADER, TIMESTAMP_HEADER, sign
from tests.gateway.builders import Shop

PAID = {
    "callback_id": "cb-1", "payment_id": "p1", "channel_ref": "ref", "amount": 100, "currency": "CNY", "status": "paid"
}  # fmt: skip
DONE = {
    "request_id": "o1/1#north", "outcome": "done", "supplier_ref": "s-1", "cost": {"amount": 95, "currency": "CNY"}
}  # fmt: skip
CHANNEL, SUPPLIER = "/v1/payments/callbacks/alipay", "/v1/suppliers/callbacks/north"


def call(
    shop: Shop,
    path: str,
    body: Any,
    secret: str,
    headers: dict[str, str] | None = None,
    *,
    age: timedelta = timedelta(),
) -> Any:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    timestamp = int((shop.clock.now - age).timestamp())
    signature = sign(shop.backend.secrets.get(secret), timestamp, content)
    signed = {TIMESTAMP_HEADER: str(timestamp), SIGNATURE_HEADER: signature, **(headers or {})}
    return shop.client.post(path, content=content, headers=signed)


def test_a_signed_callback_is_recorded(shop: Shop) -> None:
    shop.backend.answers[RecordCallback] = Reply("accepted", "ledger", 1, {"outcome": "received"})
    answer = call(shop, CHANNEL, PAID, "channel-alipay")
    assert (answer.status_code, answer.json()) == (200, {"outcome": "received"})
    command: RecordCallback = shop.backend.last
    assert (command.authentic, command.amount, command.channel) == (True, Money(amount=100), "alipay")
    assert shop.backend.sent[-1].meta.actor == "channel:alipay"


FORGERIES: list[dict[str, str]] = [
    {SIGNATURE_HEADER: "v1=00"},
    {SIGNATURE_HEADER: ""},
    {TIMESTAMP_HEADER: ""},
    {TIMESTAMP_HEADER: "now"},
    {TIMESTAMP_HEADER: "9" * 400},
    {TIMESTAMP_HEADER: "-1"},
]


@pytest.mark.parametrize("headers", FORGERIES, ids=repr)
def test_a_forged_callback_is_recorded_as_such(shop: Shop, headers: dict[str, str]) -> None:
    answer = call(shop, CHANNEL, PAID, "channel-alipay", headers)
    assert (answer.status_code, answer.json()["code"]) == (401, "bad-signature")
    assert shop.backend.last.authentic is False
    assert shop.backend.sent[-1].meta.actor == "guest"


def test_a_stale_callback_and_another_channels_secret_do_not_hold(shop: Shop) -> None:
    assert call(shop, CHANNEL, PAID, "channel-alipay", age=timedelta(minutes=6)).status_code == 401
    assert call(shop, CHANNEL, PAID, "supplier-north").status_code == 401
    assert [message.command.authentic for message in shop.backend.sent] == [False, False]  # type: ignore[attr-defined]


def test_a_signature_does_not_hold_for_another_body(shop: Shop) -> None:
    timestamp = int(shop.clock.now.timestamp())
    signature = sign(shop.backend.secrets.get("channel-alipay"), timestamp, json.dumps(PAID).encode())
    headers = {TIMESTAMP_HEADER: str(timestamp), SIGNATURE_HEADER: signature}
    answer = shop.client.post(CHANNEL, json={**PAID, "payment_id": "p2"}, headers=headers)
    assert answer.status_code == 401


@pytest.mark.parametrize(
    ("reason", "status"),
    [("replayed", 409), ("wrong-amount", 422), ("wrong-channel", 422), ("unknown-payment", 404), ("failed", 200)],
)
def test_a_callback_that_moves_no_money_gets_the_status_of_its_reason(shop: Shop, reason: str, status: int) -> None:
    shop.backend.answers[RecordCallback] = Reply("accepted", "ledger", 1, {"outcome": "refused", "reason": reason})
    assert call(shop, CHANNEL, PAID, "channel-alipay").status_code == status


BAD = [b"", b"{}", b"[]", *(json.dumps({**PAID, **odd}).encode() for odd in (
    {"amount": "100"}, {"amount": 1.5}, {"amount": -1}, {"amount": True}, {"status": "maybe"}, {"currency": "yuan"},
))]  # fmt: skip


@pytest.mark.parametrize("content", BAD)
def test_a_callback_out_of_form_is_refused(shop: Shop, content: bytes) -> None:
    assert call(shop, CHANNEL, content, "channel-alipay").status_code == 422
    assert call(shop, CHANNEL, content, "supplier-north").status_code == 401
    assert [type(message.command) for message in shop.backend.sent] == [RecordUnread]


@pytest.mark.parametrize("path", ["/v1/payments/callbacks/unknown", "/v1/suppliers/callbacks/unknown"])
def test_unknown_partners_are_unknown(shop: Shop, path: str) -> None:
    assert call(shop, path, PAID, "channel-unknown").status_code == 404
    assert not (shop.backend.settings.var / "secrets" / "supplier-unknown").exists()


def test_forgers_are_slowed_down_and_the_channel_is_not(shop: Shop) -> None:
    for _ in range(60):
        assert call(shop, CHANNEL, PAID, "supplier-north").status_code == 401
    assert call(shop, CHANNEL, PAID, "supplier-north").status_code == 429
    assert len(shop.backend.sent) == 60
    assert call(shop, CHANNEL, PAID, "channel-alipay").status_code == 200


@pytest.mark.parametrize("content", [b"{}", b"", b"\xff"])
@pytest.mark.parametrize(
    ("path", "good", "secret", "wrong"),
    [(CHANNEL, PAID, "channel-alipay", "supplier-north"), (SUPPLIER, DONE, "supplier-north", "channel-alipay")],
)
def test_forgeries_that_can_not_be_read_are_slowed_down_alike(
    shop: Shop, path: str, good: dict[str, Any], secret: str, wrong: str, content: bytes
) -> None:
    assert [call(shop, path, content, wrong).status_code for _ in range(62)] == [401] * 60 + [429] * 2
    assert call(shop, path, good, wrong).status_code == 429
    assert shop.backend.sent == []
    assert call(shop, path, good, secret).status_code == 200


def test_a_supplier_tells_of_its_own_purchase(shop: Shop) -> None:
    assert call(shop, SUPPLIER, DONE, "supplier-north").status_code == 200
    assert shop.backend.last == RecordPurchase(
        delivery_id="o1/1", supplier="north", outcome="done", supplier_ref="s-1", cost=Money(amount=95)
    )
    assert shop.backend.sent[-1].meta.actor == "supplier:north"


@pytest.mark.parametrize(
    ("reason", "said"), [("wrong-supplier", "was recorded"), ("too-many-reports", "was not recorded")]
)
def test_a_supplier_that_was_not_asked_learns_the_reason(shop: Shop, reason: str, said: str) -> None:
    answer = {"outcome": "refused", "reason": reason}
    shop.backend.answers[RecordPurchase] = Reply("accepted", "fulfillment", 1, answer)

    response = call(shop, SUPPLIER, DONE, "supplier-north")

    assert (response.status_code, response.json()["code"]) == (409, reason)
    assert f"the report {said}" in response.json()["detail"]


def test_texts_of_a_supplier_are_sealed_before_they_go_on(shop: Shop) -> None:
    assert call(shop, SUPPLIER, {**DONE, "goods": ["CARD-0001", "CARD-0002"]}, "supplier-north").status_code == 200

    command = shop.backend.last
    assert isinstance(command, RecordPurchase)
    opener = Opener(keypair_from_secret(shop.backend.secrets.get("fulfillment-sealing")).private)
    assert [opener.open(one.box, "o1/1#north") for one in command.goods] == ["CARD-0001", "CARD-0002"]
    assert "CARD-0001" not in command.model_dump_json()


@pytest.mark.parametrize(
    "odd", [{"outcome": "failed"}, {"goods": [""]}, {"goods": ["x" * 501]}, {"goods": "CARD-0001"}]
)
def test_texts_out_of_form_are_refused_and_not_repeated(shop: Shop, odd: dict[str, object]) -> None:
    answer = call(shop, SUPPLIER, {**DONE, "goods": ["CARD-0001"], **odd}, "supplier-north")

    assert answer.status_code == 422
    assert "CARD-0001" not in answer.text
    assert isinstance(shop.backend.last, RecordUnread)
    assert "CARD-0001" not in shop.backend.last.model_dump_json()


@pytest.mark.parametrize("request_id", ["o1/1#south", "o1/1", "north"])
def test_a_supplier_tells_of_no_other_purchase(shop: Shop, request_id: str) -> None:
    assert call(shop, SUPPLIER, {**DONE, "request_id": request_id}, "supplier-north").status_code == 422
    assert [type(message.command) for message in shop.backend.sent] == [RecordUnread]


def test_a_forged_report_of_a_supplier_does_nothing(shop: Shop) -> None:
    assert call(shop, SUPPLIER, DONE, "channel-alipay").status_code == 401
    assert shop.backend.sent == []
