"""A payment channel to develop and test against: it speaks the real protocol and misbehaves on request.

It takes signed requests, and sends signed callbacks to `<callback url>/v1/payments/callbacks/<name>`. Its memory is
gone when it stops. `PUT /payments/<id>/closing` chooses what happens when the payment is closed: see Closing. The body
of a request to pay says how the callbacks go wrong: see Faults."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import quote

import httpx
import typer
import uvicorn
from fastapi import BackgroundTasks, Depends, FastAPI, Request
from fastapi.responses import HTMLResponse
from pydantic import BaseModel, Field

from sandboxes import LOOP
from sandboxes.payments import NewPayment, NewRefund, Payment, Payments, money_shown
from sandboxes.turned_away import TurnedAway, answer_politely
from shared.runtime.clock import Clock
from shared.runtime.ids import Ids
from shared.security.signing import SIGNATURE_HEADER, TIMESTAMP_HEADER, sign, verify

DELIVERY_ATTEMPTS = 5


class Faults(BaseModel):
    """How the callbacks of a payment go wrong: they are sent `callbacks` times, late, with another amount or payment
    id, signed wrongly, or not at all. The payment itself is made correctly in every case."""

    callbacks: Annotated[int, Field(ge=1, le=100)] = 1
    amount: int | None = None
    payment_id: str | None = None
    bad_signature: bool = False
    delay_seconds: Annotated[float, Field(ge=0, le=3600)] = 0
    lose_callback: bool = False


class Closing(BaseModel):
    """What happens when a payment is closed, from now on. `close` closes it, `refuse` does not, `fail` answers 500,
    `pay` lets the buyer pay just before, `feign` says that it is closed although it can still be paid."""

    manner: Literal["close", "refuse", "fail", "pay", "feign"]


@dataclass
class Channel:
    """The channel's callbacks and signatures."""

    name: str
    secret: bytes = field(repr=False)
    callback_url: str
    clock: Clock
    transport: httpx.AsyncBaseTransport | None
    pause: Callable[[float], Awaitable[None]]

    async def call_back(self, payment: Payment, faults: Faults) -> None:
        """Tell the merchant that the payment was made, as often and as wrongly as the faults say."""
        if faults.lose_callback:
            return
        await self.pause(faults.delay_seconds)
        body = payment.callback()
        if faults.payment_id:
            body["payment_id"] = faults.payment_id
        if faults.amount is not None:
            body["amount"] = faults.amount
        content = json.dumps(body).encode()
        async with httpx.AsyncClient(transport=self.transport, timeout=5, trust_env=False) as client:
            for _ in range(faults.callbacks):
                await self._deliver(client, content, faults.bad_signature)

    async def _deliver(self, client: httpx.AsyncClient, content: bytes, bad_signature: bool) -> None:
        """Send one callback, and try again while nobody answers. After that only asking finds the payment."""
        url = f"{self.callback_url}/v1/payments/callbacks/{self.name}"
        for attempt in range(DELIVERY_ATTEMPTS):
            try:
                response = await client.post(url, content=content, headers=self._headers(content, bad_signature))
            except httpx.TransportError:
                pass
            else:
                if response.status_code < 500:
                    return
            await self.pause(2**attempt)

    def _headers(self, content: bytes, bad_signature: bool) -> dict[str, str]:
        timestamp = int(self.clock.now().timestamp())
        secret = b"not the secret" if bad_signature else self.secret
        return {
            "Content-Type": "application/json",
            TIMESTAMP_HEADER: str(timestamp),
            SIGNATURE_HEADER: sign(secret, timestamp, content),
        }

    async def authenticate(self, request: Request) -> None:
        """Check the signature over the method, the path and the body. Raises TurnedAway (401)."""
        signed = f"{request.method} ".encode() + request.scope["raw_path"] + b"\n" + await request.body()
        timestamp = request.headers.get(TIMESTAMP_HEADER, "")
        signature = request.headers.get(SIGNATURE_HEADER, "")
        fits = timestamp.isdecimal() and verify(self.secret, int(timestamp), signed, signature, self.clock.now())
        if not fits:
            raise TurnedAway(401, "bad signature")


PAGE = "<title>{name}</title><p>{payment_id}: {money} ({status})</p>{form}"
CLOSED = "closed"
FORM = '<form method="post"><button>Pay</button></form>'


def create_channel(
    name: str,
    secret: bytes,
    callback_url: str,
    clock: Clock | None = None,
    transport: httpx.AsyncBaseTransport | None = None,
    pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> FastAPI:
    """The channel's HTTP API. Callbacks go out through `transport`; `pause` waits a number of seconds."""
    clock = clock or Clock()
    payments = Payments(name, Ids(clock.now).new_id)
    channel = Channel(name, secret, callback_url.rstrip("/"), clock, transport, pause)
    manners: dict[str, str] = {}
    app = FastAPI(title=f"Payment channel {name} (sandbox)")
    answer_politely(app)
    merchant = [Depends(channel.authenticate)]

    @app.post("/payments", dependencies=merchant)
    async def open_payment(new: NewPayment, request: Request) -> dict[str, str]:
        payment = payments.open(new)
        pay_url = f"{request.base_url}payments/{quote(payment.payment_id, safe='')}/pay"
        return {"channel_ref": payment.channel_ref, "pay_url": pay_url}

    @app.get("/payments/{payment_id:path}/pay", response_class=HTMLResponse)
    async def show_page(payment_id: str) -> str:
        payment = payments.find(payment_id)
        status = payment.shown()["status"]
        return PAGE.format(
            name=escape(name),
            payment_id=escape(payment_id),
            money=payment.money,
            status=CLOSED if status == "failed" else status,
            form="" if status == "failed" else FORM,
        )

    @app.post("/payments/{payment_id:path}/pay")
    async def pay(payment_id: str, tasks: BackgroundTasks, faults: Faults | None = None) -> dict[str, str]:
        """The buyer pays. Paying again pays nothing, but repeats the callback."""
        payment = payments.pay(payment_id)
        tasks.add_task(channel.call_back, payment, faults or Faults())
        return {"status": payment.status, "return_url": payment.return_url}

    @app.put("/payments/{payment_id:path}/closing")
    async def choose(payment_id: str, closing: Closing) -> Closing:
        """Choose what happens when the payment is closed."""
        manners[payments.find(payment_id).payment_id] = closing.manner
        return closing

    @app.post("/payments/{payment_id:path}/close", dependencies=merchant)
    async def close(payment_id: str) -> dict[str, Any]:
        payment = payments.find(payment_id)
        match manners.get(payment_id):
            case "fail":
                raise TurnedAway(500, "not today")
            case "refuse" if payment.status == "pending":
                raise TurnedAway(409, f"payment {payment_id} can't be closed")
            case "pay":
                await channel.call_back(payments.pay(payment_id), Faults())
            case "feign":
                payment.feigned = True
                return payment.shown()
        return payments.close_unpaid(payment_id).shown()

    @app.get("/payments/{payment_id:path}/refunds", dependencies=merchant)
    async def show_refunds(payment_id: str) -> dict[str, list[dict[str, Any]]]:
        refunds = payments.find(payment_id).refunds
        return {"refunds": [money_shown(money, return_id=return_id) for return_id, money in refunds.items()]}

    @app.post("/payments/{payment_id:path}/refunds", dependencies=merchant)
    async def refund(payment_id: str, new: NewRefund) -> dict[str, Any]:
        return money_shown(payments.refund(payment_id, new), return_id=new.return_id)

    @app.get("/payments/{payment_id:path}", dependencies=merchant)
    async def show_payment(payment_id: str) -> dict[str, Any]:
        return payments.find(payment_id).shown()

    return app


def main(
    secret_file: Annotated[Path, typer.Option(exists=True, dir_okay=False)],
    name: str = "sandbox",
    host: str = "127.0.0.1",
    port: int = 8101,
    callback_url: str = "http://127.0.0.1:8000",
) -> None:
    """Run a payment channel that shares the secret in SECRET_FILE with the merchant at CALLBACK_URL."""
    uvicorn.run(create_channel(name, secret_file.read_bytes(), callback_url), host=host, port=port, loop=LOOP)


if __name__ == "__main__":
    typer.run(main)
