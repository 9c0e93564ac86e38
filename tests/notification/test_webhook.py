"""Signed webhooks, to a real HTTP server."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import httpx
import pytest
from standardwebhooks import Webhook as Signer
from standardwebhooks import WebhookVerificationError

from services.notification.adapters.letter import Letter, Undeliverable, Unsent
from services.notification.adapters.webhook import Webhook
from tests.notification.builders import webhook

SECRET = b"0123456789abcdef0123456789abcdef"


def sender() -> Webhook:
    return Webhook(Signer(SECRET), httpx.Client(timeout=5), lambda: datetime.now(UTC))


def letter(to: str) -> Letter:
    return Letter(
        id="stock-low/SKU-1/webhook",
        to=to,
        template="stock-low",
        locale="zh",
        subject="库存不足",
        text="文\n",
        params={"available": 3},
        order_id=None,
        queued_at="2026-01-01T08:00:00Z",
    )


def test_the_receiver_can_check_who_sent_it():
    with webhook() as hook:
        sender().send(letter(hook.url))

    ((headers, body),) = hook.received
    message = Signer(SECRET).verify(body, dict(headers))
    assert message == {
        "type": "stock-low",
        "timestamp": "2026-01-01T08:00:00Z",
        "data": {
            "message_id": "stock-low/SKU-1/webhook",
            "order_id": None,
            "params": {"available": 3},
            "subject": "库存不足",
            "text": "文\n",
        },
    }
    assert {key.lower(): value for key, value in headers.items()}["webhook-id"] == "stock-low/SKU-1/webhook"


def test_a_changed_body_or_id_does_not_pass():
    with webhook() as hook:
        sender().send(letter(hook.url))
    ((headers, body),) = hook.received
    for forged_headers, forged_body in (
        (headers, body.replace(b":3", b":4")),
        ({**headers, "webhook-id": "other"}, body),
    ):
        with pytest.raises(WebhookVerificationError):
            Signer(SECRET).verify(forged_body, {key.lower(): value for key, value in forged_headers.items()})
    assert json.loads(body)["data"]["params"] == {"available": 3}


def test_a_repeated_try_has_the_same_id_and_body():
    with webhook() as hook:
        for _ in range(2):
            sender().send(letter(hook.url))
    (_, first), (_, second) = hook.received
    assert first == second


@pytest.mark.parametrize("status", [200, 201, 299])
def test_any_2xx_takes_the_letter(status: int):
    with webhook() as hook:
        hook.statuses.append(status)
        sender().send(letter(hook.url))


@pytest.mark.parametrize("status", [302, 400, 410, 500, 503])
def test_any_other_answer_does_not(status: int):
    with webhook() as hook:
        hook.statuses.append(status)
        with pytest.raises(Unsent) as error:
            sender().send(letter(hook.url))
    assert str(error.value) == f"webhook: HTTP {status}"


def test_a_server_that_is_away_is_tried_again_and_its_address_is_not_shown():
    with webhook() as hook:
        pass
    with pytest.raises(Unsent) as error:
        sender().send(letter(hook.url))
    assert str(error.value) == "webhook: ConnectError"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "staff",
        "ftp://x.org/",
        "file:///etc/passwd",
        "javascript:1",
        "http://",
        "https:///x",
        "http://[::1",
        "http://x.org:99999/",
    ],
)
def test_what_is_no_web_address_is_refused(url: str):
    with pytest.raises(Undeliverable, match="not an http or https address"):
        sender().send(letter(url))
