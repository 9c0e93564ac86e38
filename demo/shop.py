"""The people of the demo as HTTP clients: staff, customers and guests, each with an address of their own."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import httpx

Answer = Mapping[str, Any]
PATIENCE_SECONDS = 120.0
GOOD = (200, 201, 202)
CLOSED = 409
OVER = ("completed", "cancelled", "refund-pending", "refund-failed", "partly-refunded", "refunded")
TRUST = httpx.create_ssl_context()  # costs tens of milliseconds: once for all clients


class Unexpected(RuntimeError):
    """The API answered otherwise than the demo expects."""


def answer_of(response: httpx.Response, *expected: int) -> Answer:
    """The JSON of an answer. Raises Unexpected when its status is not one of those expected."""
    if response.status_code not in (expected or GOOD):
        raise Unexpected(
            f"{response.request.method} {response.request.url.path}: {response.status_code} {response.text}"
        )
    return response.json()


async def until(what: str, look: Callable[[], Awaitable[Answer | None]], seconds: float = PATIENCE_SECONDS) -> Answer:
    """Call `look` until it returns something, and return that. Raises Unexpected after `seconds`."""
    deadline = asyncio.get_running_loop().time() + seconds
    pause = 0.05
    while (found := await look()) is None:
        if asyncio.get_running_loop().time() > deadline:
            raise Unexpected(f"{what}: did not happen within {seconds:.0f} s")
        await asyncio.sleep(pause)
        pause = min(0.5, pause * 1.5)
    return found


def client_at(address: str, source: str, token: str = "", device: str = "") -> httpx.AsyncClient:
    """A client with its own address of this machine (127.x.y.z), as every real customer has one."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    if device:
        headers["Device-Id"] = device
    transport = httpx.AsyncHTTPTransport(verify=TRUST, local_address=source, limits=httpx.Limits(max_connections=4))
    return httpx.AsyncClient(base_url=address, transport=transport, headers=headers, timeout=60)


@dataclass
class Buyer:
    """Somebody who places orders: a customer with a wallet, or a guest."""

    http: httpx.AsyncClient
    customer: str = ""
    secrets: dict[str, str] = field(default_factory=dict)

    async def place(
        self, wishes: list[Answer], *, key: str = "", expect: tuple[int, ...] = (201,), **more: Any
    ) -> Answer:
        """Place an order and keep its secret."""
        body = {"wishes": wishes, **more}
        response = await self.http.post("/v1/orders", json=body, headers={"Idempotency-Key": key or str(uuid4())})
        answer = answer_of(response, *expect)
        if "secret" in answer:
            self.secrets[answer["order_id"]] = answer["secret"]
        return answer

    async def get(self, order_id: str, part: str = "") -> Answer:
        headers = {"Order-Secret": self.secrets[order_id]}
        return answer_of(await self.http.get(f"/v1/orders/{order_id}{part}", headers=headers))

    async def ended(self, order_id: str, *statuses: str) -> Answer:
        """Wait until the order is in one of the given states, by default in any that ends it."""
        wanted = statuses or OVER

        async def look() -> Answer | None:
            order = await self.get(order_id)
            return order if order["status"] in wanted else None

        return await until(f"order {order_id} to be {' or '.join(wanted)}", look)

    async def pay_link(self, order_id: str) -> None:
        """Wait until the channel has opened the order's payment."""

        async def look() -> Answer | None:
            payment = (await self.get(order_id)).get("channel_payment") or {}
            return payment if payment.get("pay_url") else None

        await until(f"payment of {order_id} to open", look)

    async def link_closed(self, order_id: str) -> None:
        """Wait until the channel has closed the order's payment."""

        async def look() -> Answer | None:
            payment = (await self.get(order_id))["channel_payment"]
            return payment if payment["status"] == "closed" and payment["pay_url"] is None else None

        await until(f"payment of {order_id} to be closed", look)


@dataclass
class Channel:
    """The sandbox channel's own page, where buyers pay."""

    http: httpx.AsyncClient

    async def pay(self, payment_id: str, **faults: Any) -> None:
        """The buyer pays; `faults` spoil the callbacks as the sandbox offers."""
        answer_of(await self.http.post(f"/payments/{payment_id}/pay", json=faults))

    async def pay_if_open(self, payment_id: str, **faults: Any) -> bool:
        """The buyer pays, unless the payment was closed meanwhile. Whether it was paid."""
        response = await self.http.post(f"/payments/{payment_id}/pay", json=faults)
        answer_of(response, 200, CLOSED)
        return response.status_code != CLOSED

    async def feign_closing(self, payment_id: str) -> None:
        """From now on the channel says that it closes this payment, and takes money for it all the same."""
        answer_of(await self.http.put(f"/payments/{payment_id}/closing", json={"manner": "feign"}))
