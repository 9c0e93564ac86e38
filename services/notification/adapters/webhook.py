"""Signed webhooks, as https://www.standardwebhooks.com describes them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar
from urllib.parse import urlsplit

import httpx
from standardwebhooks import Webhook as Signer

from services.notification.adapters.letter import Letter, Undeliverable, Unsent
from shared.contracts.notification import MessageChannel

TIMEOUT_SECONDS = 10.0


@dataclass(frozen=True)
class Webhook:
    """Posts letters as JSON. The body and `webhook-id` are the same in every try. Any 2xx status accepts the letter."""

    signer: Signer = field(repr=False)
    client: httpx.Client = field(repr=False)
    now: Callable[[], datetime]
    channel: ClassVar[MessageChannel] = "webhook"

    def send(self, letter: Letter) -> None:
        if not _is_web_address(letter.to):
            raise Undeliverable("not an http or https address")
        body = _body(letter)
        now = self.now()
        headers = {
            "content-type": "application/json",
            "webhook-id": letter.id,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": self.signer.sign(letter.id, now, body),
        }
        try:
            response = self.client.post(letter.to, content=body.encode(), headers=headers)
        except httpx.HTTPError as error:
            raise Unsent(f"webhook: {type(error).__name__}") from error
        if not response.is_success:
            raise Unsent(f"webhook: HTTP {response.status_code}")


def _is_web_address(url: str) -> bool:
    try:
        parts, read = urlsplit(url), httpx.URL(url)
        return parts.scheme in ("http", "https") and read.host != "" and parts.port != 0
    except (ValueError, httpx.InvalidURL):
        return False


def _body(letter: Letter) -> str:
    data = {
        "message_id": letter.id,
        "order_id": letter.order_id,
        "params": dict(letter.params),
        "subject": letter.subject,
        "text": letter.text,
    }
    return json.dumps(
        {"type": letter.template, "timestamp": letter.queued_at, "data": data},
        ensure_ascii=False,
        separators=(",", ":"),
    )
