"""Every number and every text of the API at its ends: taken, or refused, and never more than the platform can bear."""

from __future__ import annotations

import asyncio
from uuid import uuid4

import httpx

from demo.shop import answer_of
from sandboxes.running import CHANNEL
from tests.acceptance.bad_input.ends import Request, requests
from tests.acceptance.bad_input.shop import CARD, Shop

AT_ONCE = 8


def test_nothing_at_its_end_is_an_error_of_ours(shop: Shop) -> None:
    """What was parked meanwhile shows when the shop is closed."""
    document = answer_of(shop.ask("administrator", "GET", "/openapi.json"))
    known = {
        "order_id": shop.done, "payment_id": shop.waiting, "customer": shop.alice.customer, "sku": CARD,
        "channel": CHANNEL, "account": f"wallet:{shop.alice.customer}",
    }  # fmt: skip
    admin = shop.who("administrator")

    async def answers() -> list[str]:
        room = asyncio.Semaphore(AT_ONCE)

        async def ask(request: Request) -> str | None:
            headers = {"Idempotency-Key": uuid4().hex, "Content-Type": "application/json"}
            async with room:
                answer = await admin.request(
                    request.method, request.path, content=request.content, headers=headers, timeout=httpx.Timeout(60)
                )
            content_type = answer.headers["Content-Type"]
            is_problem = answer.is_success or content_type == "application/problem+json"
            if answer.is_server_error or not is_problem:
                return f"{request.what}: {answer.status_code} {content_type}"
            return None

        found = await asyncio.gather(*(ask(request) for request in requests(document, known)))
        return [one for one in found if one is not None]

    found = shop.market.run(answers())
    assert not found, "\n".join(found)
