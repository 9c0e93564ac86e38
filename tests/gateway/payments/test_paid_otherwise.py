"""A return that the channel paid with another amount, as staff and the books see it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from shared.contracts import Money
from shared.contracts.ledger import (
    PaymentReceived,
    PaymentRequested,
    Posting,
    RecordReturnByHand,
    RetryReturn,
    ReturnedByHand,
    ReturnFailed,
    ReturnRequested,
)
from shared.messages.messages import Reply
from tests.amounts import yuan
from tests.gateway.builders import Shop, open_shop


def moved(debit: str, credit: str, fen: int) -> tuple[Posting, ...]:
    sides = ((debit, fen), (credit, -fen))
    return tuple(Posting(account=account, amount=Money(amount=amount)) for account, amount in sides)


def failed_short(folder: Path) -> Shop:
    """50 yuan came, 50 were to go back, and the channel paid 49 of them."""
    shop = open_shop(folder)
    of: dict[str, Any] = {"payment_id": "o1", "return_id": "hold#rest"}
    shop.backend.happen(
        PaymentRequested(payment_id="o1", account="order:o1", amount=yuan(50), channel="alipay", order_id="o1"),
        PaymentReceived(
            payment_id="o1", account="order:o1", amount=yuan(50), channel="alipay", channel_ref="r", callback_id="c",
            order_id="o1", postings=moved("channel:alipay", "order:o1", 5_000),
        ),
        ReturnRequested(**of, amount=yuan(50), channel="alipay", channel_ref="r"),
        ReturnFailed(
            **of, amount=yuan(50), reason="49", paid=yuan(49), postings=moved("order:o1", "channel:alipay", 4_900)
        ),
    )  # fmt: skip
    return shop


def test_staff_see_what_was_paid_of_a_return_that_failed_and_what_was_paid_by_hand(tmp_path: Path) -> None:
    shop = failed_short(tmp_path)
    finance = shop.staff("finance")

    (waiting,) = shop.client.get("/v1/payments/failed-returns", headers=finance).json()["items"]
    before = shop.client.get("/v1/payments/o1", headers=finance).json()
    channel = shop.client.get("/v1/ledger/accounts/channel:alipay/entries", headers=finance).json()["items"]
    postings = moved("order:o1", "by-hand:alipay", 100)
    shop.backend.then[RecordReturnByHand] = lambda command: [
        ReturnedByHand(payment_id="o1", return_id="hold#rest", amount=yuan(50), note=command.note, postings=postings)
    ]
    path = "/v1/payments/o1/returns/hold%23rest/by-hand"
    after = shop.client.post(path, json={"note": "by bank"}, headers=finance).json()

    assert waiting["returns"][0]["paid"] == before["returned"] == {"amount": 4_900, "currency": "CNY"}
    assert before["status"] == "return-failed"
    assert sorted(entry["amount"] for entry in channel) == [-4_900, 5_000]
    assert (after["status"], after["returned"]["amount"]) == ("returned", 5_000)
    assert (after["returns"][0]["status"], after["returns"][0]["paid"]["amount"]) == ("by-hand", 4_900)


def test_a_retry_that_would_find_the_same_says_so(tmp_path: Path) -> None:
    shop = failed_short(tmp_path)
    shop.backend.answers[RetryReturn] = Reply("refused", "ledger", 0, code="paid-otherwise", status=409)

    answer = shop.client.post("/v1/payments/o1/returns/hold%23rest/retry", headers=shop.staff("support"))

    assert (answer.status_code, answer.json()["code"]) == (409, "paid-otherwise")
