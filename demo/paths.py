"""The paths of orders, one method for each, through the API. Each returns the outcome."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from uuid import uuid4

import httpx

from demo.scenario import Planned
from demo.shop import (
    Answer,
    Buyer,
    Channel,
    Unexpected,
    answer_of,
    until,
)
from shared.values.currencies import written

STOLEN_DEVICE = "stolen-device"
SCARCE = "LAST-10"
CHANNEL = "sandbox-pay"


@dataclass
class DemoMarket:
    """The people and products that the paths need.

    `guest(n)` makes a guest with an address of its own, `rich(n, fen)` a new customer with that much in its wallet.
    """

    support: httpx.AsyncClient
    operations: httpx.AsyncClient
    customers: Sequence[Buyer]
    channel: Channel
    keys: Sequence[str]
    top_ups: Sequence[str]
    dear: Answer
    guest: Callable[[int], Awaitable[Buyer]]
    rich: Callable[[int, int], Awaitable[Buyer]]


class Paths:
    """One method for each path. `take` runs the planned one."""

    def __init__(self, market: DemoMarket) -> None:
        self.market = market

    async def take(self, planned: Planned) -> str:
        """Place the order and take its path to the end. Raises Unexpected when the outcome is not the expected one."""
        path = getattr(self, "_" + planned.path.replace("-", "_"))
        return await path(random.Random(planned.seed), self.market.customers[planned.customer], planned)

    def _wishes(self, luck: random.Random) -> list[Answer]:
        skus = luck.sample(self.market.keys, luck.choice((1, 1, 1, 2, 3)))
        return [{"sku": sku, "quantity": luck.choice((1, 1, 1, 2))} for sku in skus]

    def _wish_top_up(self, luck: random.Random, behaviour: str) -> Answer:
        phone = f"138{luck.randrange(10**8):08d}"
        target = f"{behaviour}:{phone}" if behaviour else phone
        return {"sku": luck.choice(self.market.top_ups), "quantity": 1, "target": target}

    async def _bought(self, buyer: Buyer, wishes: list[Answer]) -> str:
        """Buy by wallet, wait for the end, and see the goods."""
        order = await buyer.place(wishes)
        return await self._completed(buyer, order["order_id"])

    async def _completed(self, buyer: Buyer, order_id: str) -> str:
        order = await buyer.ended(order_id)
        if order["status"] == "cancelled" and order["cancel_reason"] == "short-stock":
            return "short of stock"
        if order["status"] != "completed":
            raise Unexpected(f"order {order_id} ended as {order['status']} ({order['cancel_reason']})")
        lines = {line["line"]: line for line in order["lines"]}
        for delivery in (await buyer.get(order_id, "/deliveries"))["items"]:
            wanted = lines[delivery["line"]]["quantity"]
            if delivery["how"] == "keys" and len({key["key"] for key in delivery["keys"]}) != wanted:
                raise Unexpected(f"order {order_id} line {delivery['line']} has not its {wanted} keys")
        return "delivered"

    async def _by_channel(self, planned: Planned, wishes: list[Answer], **faults: object) -> tuple[Buyer, str]:
        """A guest orders and pays at the channel, whose callbacks may go wrong."""
        guest = await self.market.guest(planned.seed)
        order = await guest.place(wishes, payment=CHANNEL)
        await guest.pay_link(order["order_id"])
        await self.market.channel.pay(order["order_id"], **faults)
        return guest, order["order_id"]

    async def _sold(self, luck: random.Random, buyer: Buyer, planned: Planned) -> str:
        return await self._bought(buyer, self._wishes(luck))

    async def _paid_by_channel(self, luck: random.Random, buyer: Buyer, planned: Planned) -> str:
        return await self._completed(*await self._by_channel(planned, self._wishes(luck)))

    async def _callback_five_times(self, luck: random.Random, buyer: Buyer, planned: Planned) -> str:
        guest, order_id = await self._by_channel(planned, self._wishes(luck), callbacks=5)
        await self._completed(guest, order_id)
        return "paid once, called back five times"

    async def _callback_forged(self, luck: random.Random, buyer: Buyer, planned: Planned) -> str:
        """The right callback never comes. A forged one must change nothing; asking the channel finds the payment."""
        guest, order_id = await self._by_channel(planned, self._wishes(luck), bad_signature=True)
        await self._completed(guest, order_id)
        return "forgery refused, payment found by asking"

    async def _unpaid(self, luck: random.Random, buyer: Buyer, planned: Planned) -> str:
        guest = await self.market.guest(planned.seed)
        order = await guest.place(self._wishes(luck), payment=CHANNEL)
        ended = await guest.ended(order["order_id"])
        await guest.link_closed(order["order_id"])
        return f"cancelled: {ended['cancel_reason']}"

    async def _paid_late(self, luck: random.Random, buyer: Buyer, planned: Planned) -> str:
        """The channel says that it has closed the payment, but takes the money all the same."""
        guest = await self.market.guest(planned.seed)
        order = await guest.place(self._wishes(luck), payment=CHANNEL)
        await guest.pay_link(order["order_id"])
        await self.market.channel.feign_closing(order["order_id"])
        await guest.ended(order["order_id"], "cancelled")
        await guest.link_closed(order["order_id"])
        await self.market.channel.pay(order["order_id"])
        await guest.ended(order["order_id"], "completed")
        return "cancelled, paid late, delivered"

    async def _short_stock(self, luck: random.Random, buyer: Buyer, planned: Planned) -> str:
        return await self._bought(buyer, [{"sku": SCARCE, "quantity": 1}])

    async def _blocked(self, luck: random.Random, buyer: Buyer, planned: Planned) -> str:
        guest = await self.market.guest(planned.seed)
        guest.http.headers["Device-Id"] = STOLEN_DEVICE
        order = await guest.place(self._wishes(luck), payment=CHANNEL)
        return f"cancelled: {(await guest.ended(order['order_id']))['cancel_reason']}"

    async def _reviewed(self, planned: Planned, decision: str) -> tuple[Buyer, str]:
        dear = self.market.dear
        pieces = 510_000 // dear["price"]["amount"] + 1
        buyer = await self.market.rich(planned.seed, pieces * dear["price"]["amount"])
        order = await buyer.place([{"sku": dear["sku"], "quantity": pieces}])
        case = f"/v1/risk/cases/{order['order_id']}/decision"

        async def decide() -> Answer | None:
            response = await self.market.support.post(case, json={"decision": decision, "note": "looked at"})
            return answer_of(response, 200, 404, 409) if response.status_code == 200 else None

        await until(f"case of {order['order_id']}", decide)
        return buyer, order["order_id"]

    async def _reviewed_released(self, luck: random.Random, buyer: Buyer, planned: Planned) -> str:
        return f"reviewed, {await self._completed(*await self._reviewed(planned, 'pass'))}"

    async def _reviewed_refused(self, luck: random.Random, buyer: Buyer, planned: Planned) -> str:
        buyer, order_id = await self._reviewed(planned, "block")
        return f"reviewed, cancelled: {(await buyer.ended(order_id))['cancel_reason']}"

    async def _topped_up(self, luck: random.Random, buyer: Buyer, behaviour: str) -> str:
        return await self._bought(buyer, [self._wish_top_up(luck, behaviour)])

    async def _top_up(self, luck: random.Random, buyer: Buyer, planned: Planned) -> str:
        return await self._topped_up(luck, buyer, "ok")

    async def _supplier_failed_over(self, luck: random.Random, buyer: Buyer, planned: Planned) -> str:
        return f"first supplier failed, second {await self._topped_up(luck, buyer, '')}"

    async def _supplier_timed_out(self, luck: random.Random, buyer: Buyer, planned: Planned) -> str:
        return f"timed out, looked up, {await self._topped_up(luck, buyer, 'late')}"

    async def _supplier_called_back(self, luck: random.Random, buyer: Buyer, planned: Planned) -> str:
        return f"called back, {await self._topped_up(luck, buyer, 'twice')}"

    async def _partly_delivered(self, luck: random.Random, buyer: Buyer, planned: Planned) -> str:
        order = await buyer.place(
            [{"sku": luck.choice(self.market.keys), "quantity": 1}, self._wish_top_up(luck, "failing")]
        )
        handover = f"/v1/deliveries/handovers/{order['order_id']}/2/resolution"

        async def resolve() -> Answer | None:
            response = await self.market.support.post(handover, json={"delivered": False, "note": "no supplier could"})
            return response.json() if response.status_code == 200 else None

        await until(f"hand-over of {order['order_id']}", resolve)
        ended = await buyer.ended(order["order_id"], "completed")
        if not 0 < ended["delivered"]["amount"] < ended["total"]["amount"]:
            raise Unexpected(f"order {order['order_id']} is not partly delivered")
        return "one line delivered, one given back"

    async def _give_back(self, luck: random.Random, buyer: Buyer, amount: int | None) -> Answer:
        order = await buyer.place(self._wishes(luck))
        await buyer.ended(order["order_id"], "completed")
        body = {"reason": "the buyer asked"} | ({"amount": amount} if amount else {})
        answer_of(await self.market.support.post(f"/v1/orders/{order['order_id']}/refunds", json=body), 202)

        async def refunded() -> Answer | None:
            current = await buyer.get(order["order_id"])
            return current if current["refunded"]["amount"] else None

        return await until(f"refund of {order['order_id']}", refunded)

    async def _refunded(self, luck: random.Random, buyer: Buyer, planned: Planned) -> str:
        return f"{(await self._give_back(luck, buyer, None))['status']} in full"

    async def _partly_refunded(self, luck: random.Random, buyer: Buyer, planned: Planned) -> str:
        order = await self._give_back(luck, buyer, 100)
        return f"refunded {written(order['refunded']['amount'], order['refunded']['currency'])}"

    async def _replaced(self, luck: random.Random, buyer: Buyer, planned: Planned) -> str:
        order = await buyer.place([{"sku": luck.choice(self.market.keys), "quantity": 1}])
        order_id = order["order_id"]
        await buyer.ended(order_id, "completed")
        first = (await buyer.get(order_id, "/deliveries"))["items"][0]["keys"][0]
        body = {"line": 1, "number": first["number"], "reason": "already used"}
        answer_of(await self.market.support.post(f"/v1/orders/{order_id}/replacements", json=body), 202)

        async def replaced() -> Answer | None:
            items = (await buyer.get(order_id, "/deliveries"))["items"]
            return items[1] if len(items) == 2 and items[1].get("keys") else None

        second = (await until(f"replacement in {order_id}", replaced))["keys"][0]
        if second["key"] == first["key"]:
            raise Unexpected(f"order {order_id} got the same key again")
        return "key replaced"

    async def _cancelled_by_buyer(self, luck: random.Random, buyer: Buyer, planned: Planned) -> str:
        guest = await self.market.guest(planned.seed)
        order = await guest.place(self._wishes(luck), payment=CHANNEL)
        headers = {"Order-Secret": order["secret"]}
        answer_of(await guest.http.post(f"/v1/orders/{order['order_id']}/cancel", json={}, headers=headers))
        return f"cancelled: {(await guest.ended(order['order_id']))['cancel_reason']}"

    async def _too_little_money(self, luck: random.Random, buyer: Buyer, planned: Planned) -> str:
        poor = await self.market.rich(planned.seed, 100)
        order = await poor.place(self._wishes(luck))
        return f"cancelled: {(await poor.ended(order['order_id']))['cancel_reason']}"

    async def _sent_twice(self, luck: random.Random, buyer: Buyer, planned: Planned) -> str:
        wishes, key = self._wishes(luck), str(uuid4())
        both = await asyncio.gather(*(buyer.place(wishes, key=key, expect=(200, 201)) for _ in range(2)))
        if both[0]["order_id"] != both[1]["order_id"]:
            raise Unexpected("one request sent twice made two orders")
        return f"sent twice, {await self._completed(buyer, both[0]['order_id'])} once"
