"""A supplier to develop and test against. Its stock is endless, and its behaviour can be chosen.

    python -m sandboxes.supplier --name north --port 9001

A purchase behaves as the prefix of its target says (`late:13800000000`), else as the last `PUT /behaviour` said:

- `ok` delivers at once; `slow` within the time-out; `late` buys, then answers long after the time-out
- `failing` fails for certain; `down` answers 503 and takes nothing (as a switch, look-ups are down as well)
- `callback` answers pending, then calls back; `twice` calls back twice
- `silent` answers pending and never calls back; it is done when looked up for the second time
- `relenting` fails, and is done all the same when looked up for the second time

`GET /purchases` counts, for each request id, how often it arrived and how often something was bought.
"""

from __future__ import annotations

import argparse
import asyncio
import json
from collections import defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, TypeAlias

import httpx
import uvicorn
from fastapi import BackgroundTasks, FastAPI, Header, HTTPException, Request
from pydantic import BaseModel, ValidationError

from sandboxes import LOOP
from sandboxes.purchases import Behaviour, Purchase, PurchaseRequest, Purchases
from sandboxes.turned_away import TurnedAway, answer_politely
from shared.contracts import Money
from shared.contracts.fulfillment import PurchaseReport
from shared.security.secrets import Secrets
from shared.security.signing import SIGNATURE_HEADER, TIMESTAMP_HEADER, sign, verify

Timestamp: TypeAlias = Annotated[int, Header(alias=TIMESTAMP_HEADER)]
Signature: TypeAlias = Annotated[str, Header(alias=SIGNATURE_HEADER)]


class Switch(BaseModel):
    """How to behave from now on, where a target does not say."""

    behaviour: Behaviour


class Account(BaseModel):
    """What happened to one request id."""

    arrived: int
    bought: int
    report: PurchaseReport
    callbacks: list[str]


@dataclass
class Shop:
    """A supplier and its memory. Times are in seconds; `pause` waits for them."""

    name: str
    secret: bytes
    callbacks: httpx.AsyncClient
    now: Callable[[], datetime]
    pause: Callable[[float], Awaitable[None]]
    slow_seconds: float
    late_seconds: float
    behaviour: Behaviour = Behaviour.OK
    purchases: Purchases = field(default_factory=Purchases)
    callback_answers: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    def check(self, signed: bytes, timestamp: int, signature: str) -> None:
        if not verify(self.secret, timestamp, signed, signature, self.now()):
            raise TurnedAway(401, "the signature is not valid")

    def behaviour_for(self, target: str) -> Behaviour:
        prefix = target.partition(":")[0]
        return Behaviour(prefix) if prefix in list(Behaviour) else self.behaviour

    async def buy(self, purchase_request: PurchaseRequest, afterwards: BackgroundTasks) -> PurchaseReport:
        purchase, is_new = self.purchases.buy(purchase_request, self.behaviour_for(purchase_request.target))
        if is_new:
            if purchase.behaviour in (Behaviour.CALLBACK, Behaviour.TWICE):
                afterwards.add_task(self.call_back, purchase, times=2 if purchase.behaviour is Behaviour.TWICE else 1)
            await self.pause(
                {Behaviour.SLOW: self.slow_seconds, Behaviour.LATE: self.late_seconds}.get(purchase.behaviour, 0)
            )
        return purchase.report()

    def look_up(self, request_id: str) -> PurchaseReport:
        if self.behaviour is Behaviour.DOWN:
            raise TurnedAway(503, "down for maintenance")
        return self.purchases.look_up(request_id).report()

    async def call_back(self, purchase: Purchase, times: int) -> None:
        await self.pause(self.slow_seconds)
        self.purchases.settle(purchase)
        body = purchase.report().model_dump_json().encode()
        answers = self.callback_answers[purchase.request.request_id]
        for _ in range(times):
            timestamp = int(self.now().timestamp())
            headers = {
                TIMESTAMP_HEADER: str(timestamp),
                SIGNATURE_HEADER: sign(self.secret, timestamp, body),
                "Content-Type": "application/json",
            }
            try:
                answer = await self.callbacks.post(str(purchase.request.callback_url), content=body, headers=headers)
                answers.append(f"HTTP {answer.status_code}")
            except httpx.HTTPError as error:
                answers.append(type(error).__name__)


def create_supplier(
    name: str,
    secret: bytes,
    *,
    slow_seconds: float = 0.2,
    late_seconds: float = 10,
    callbacks: httpx.AsyncClient | None = None,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> FastAPI:
    """The supplier's API. `secret` signs requests and callbacks; `pause(seconds)` waits where a behaviour is slow."""
    shop = Shop(name, secret, callbacks or httpx.AsyncClient(timeout=5), now, pause, slow_seconds, late_seconds)
    app = FastAPI(title=f"Supplier {name}")
    answer_politely(app)

    @app.post("/purchases")
    async def buy(
        request: Request, afterwards: BackgroundTasks, timestamp: Timestamp, signature: Signature
    ) -> PurchaseReport:
        body = await request.body()
        shop.check(body, timestamp, signature)
        try:
            purchase_request = PurchaseRequest.model_validate_json(body)
        except ValidationError as error:
            raise HTTPException(422, json.loads(error.json(include_url=False, include_input=False))) from error
        return await shop.buy(purchase_request, afterwards)

    @app.get("/purchases")
    async def accounts() -> dict[str, Account]:
        return {
            request_id: Account(
                arrived=one.arrived,
                bought=one.bought,
                report=one.report(),
                callbacks=shop.callback_answers.get(request_id, []),
            )
            for request_id, one in shop.purchases.all.items()
        }

    @app.get("/purchases/{request_id:path}")
    async def look_up(request_id: str, timestamp: Timestamp, signature: Signature) -> PurchaseReport:
        shop.check(request_id.encode(), timestamp, signature)
        return shop.look_up(request_id)

    @app.get("/balance")
    async def balance() -> Money:
        return Money(amount=shop.purchases.balance)

    @app.put("/behaviour")
    async def behave(switch: Switch) -> Switch:
        shop.behaviour = switch.behaviour
        return switch

    return app


def main() -> None:
    """Run one supplier; its secret is the one that Kameng keeps for it."""
    parser = argparse.ArgumentParser(prog="sandboxes.supplier", description="A supplier to develop and test against.")
    parser.add_argument("--name", default="sandbox")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=9001)
    parser.add_argument("--secrets", type=Path, default=Path("var/secrets"), help="directory of secrets")
    parser.add_argument("--slow-seconds", type=float, default=0.2)
    parser.add_argument("--late-seconds", type=float, default=10)
    arguments = parser.parse_args()
    secret = Secrets(arguments.secrets).get(f"supplier-{arguments.name}")
    app = create_supplier(
        arguments.name, secret, slow_seconds=arguments.slow_seconds, late_seconds=arguments.late_seconds
    )
    uvicorn.run(app, host=arguments.host, port=arguments.port, loop=LOOP, log_level="warning")


if __name__ == "__main__":
    main()
