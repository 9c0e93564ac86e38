"""After the healing: what is unknown is asked for, everything comes to rest, and the laws are checked."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable, Collection, Coroutine, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import sqlalchemy as sa

from cli.__main__ import SERVICES
from demo.shop import Answer, Unexpected, answer_of, until
from laws import ChannelPayment, SupplierPurchase, one_capture, one_purchase
from sandboxes.running import SUPPLIERS
from services.gateway.payments.projection import payments
from shared.contracts.fulfillment import DeliveryHandedOver, SupplierDelivered
from shared.contracts.ledger import PaymentReceived, PaymentRequested
from shared.contracts.order import OrderCancelled, OrderCompleted, OrderPlaced, RefundApproved
from shared.eventstore import schema
from shared.laws import Finding, ack_durable, drained, idempotent_same, no_plaintext
from shared.laws.finding import finding
from tests.chaos.claims import SERVICE, acks, altered, replies, unanswered
from tests.chaos.history import History, Request
from tests.chaos.people import ENDED
from tests.chaos.saboteur import Crash
from tests.chaos.shop import Shop
from tests.waiting import PATIENCE

AGAIN_SECONDS = (0.5,) * 100
REPEATED, READ, SEARCHED, AT_ONCE = 100, 300, 40, 8


@dataclass
class Verdict:
    """Seconds from the healing until everything was at rest, and what each law says."""

    drain_seconds: float = 0.0
    rest: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    @property
    def broken(self) -> list[str]:
        return [f"{finding.law}: {said}" for finding in self.findings for said in finding.violations]


class Judge:
    """Looks at a platform on which nothing fails any more."""

    def __init__(self, shop: Shop, history: History, paid: Collection[str], luck: random.Random) -> None:
        self._shop, self._market, self._platform = shop, shop.market, shop.platform
        self._history, self._luck = history, luck
        self._paid = set(paid)

    async def judge(self, crashes: Iterable[Crash], tell: Callable[[str], None]) -> Verdict:
        """Resolve, drain, and check every law."""
        healed = time.monotonic()
        requests, unknown = self._history.requests, self._history.unknown()
        tell(f"asking what became of {len(unknown)} requests")
        await self._all(self._history.ask(request, AGAIN_SECONDS) for request in unknown)
        verdict = Verdict(rest=await self._settle(tell))
        verdict.drain_seconds = time.monotonic() - healed
        tell("checking the laws")
        await self._repeat()
        died = (f"{crash.name} ended by itself with {crash.code}: {crash.printed}" for crash in crashes)
        verdict.findings = [
            finding("Alive", len(self._platform.cluster.described), died),
            finding("Answered", len(requests), unanswered(requests)),
            finding("Shown", len(requests), await self._not_shown()),
            drained({}, verdict.rest, self._platform.parked()),
            *await asyncio.to_thread(self._laws),
            await self._captured(),
            await self._purchased(),
        ]
        return verdict

    # To the end

    async def _settle(self, tell: Callable[[str], None]) -> list[str]:
        rest: list[str] = []

        async def look() -> Answer | None:
            rest[:] = await self._rest()
            tell(f"{len(rest)} things to be done, {rest[0]}" if rest else "all is done")
            return None if rest else {}

        with suppress(Unexpected):
            await until("everything to be done", look, PATIENCE)
        return rest

    async def _rest(self) -> list[str]:
        """What still has to be done, in words."""
        found: list[str] = []
        try:
            for status in ("placed", "paid", "delivering"):
                params = {"status": status, "limit": "5"}
                page = answer_of(await self._market.staff["support"].get("/v1/orders", params=params))
                found += [f"order {order['order_id']} is {status}" for order in page["items"]]
        except (httpx.TransportError, Unexpected) as error:
            return [f"the gateway does not answer: {error!r}"]
        return found or await asyncio.to_thread(self._behind)

    def _behind(self) -> list[str]:
        return [*self._platform.unfinished(), *self._tried_again(), *self._unheard()]

    def _tried_again(self) -> Iterator[str]:
        """What an agenda has tried in vain and will try again, but for asking after payments that nobody makes and
        purchases that failed."""
        agenda = schema.agenda.c
        is_failing = agenda.error.is_not(None) & agenda.key.not_like("ask/%") & agenda.key.not_like("again/%")
        failing = sa.select(agenda.key, agenda.error).where(is_failing)
        for service in SERVICES:
            with self._platform.reading(service.name) as connection:
                for row in connection.execute(failing):
                    yield f"{service.name}: {row.key}: {row.error}"

    def _unheard(self) -> Iterator[str]:
        """What was paid at the channel, and is not received."""
        known = payments.c
        received = sa.select(known.payment_id).where(known.received_at.is_not(None))
        with self._platform.reading("gateway") as connection:
            heard = set(connection.execute(received).scalars())
        for payment_id in self._paid - heard:
            yield f"payment {payment_id} was paid and not heard of"

    async def _repeat(self) -> None:
        """Some of what was answered is sent once more: it must be answered alike."""
        known = [request for request in self._history.requests if request.outcome != "unknown"]
        await self._all(self._history.ask(one) for one in self._luck.sample(known, min(REPEATED, len(known))))

    # The laws

    async def _not_shown(self) -> list[str]:
        """What buyers see at the end: every order of theirs, ended, and keys that nobody else got."""
        placed = [request for request in self._history.requests if request.kind == "place" and request.secret]
        complaints: list[str] = []
        keys = Counter[str]()

        async def look(request: Request) -> None:
            path = f"/v1/orders/{request.last.answer}"
            order = await self._history.read(request.http, path, request.secret)
            if order is None or order["status"] not in ENDED:
                complaints.append(f"order {request.last.answer} is {order['status'] if order else 'not shown'}")
            elif order["status"] != "cancelled":
                deliveries = await self._history.read(request.http, f"{path}/deliveries", request.secret) or {}
                items = deliveries.get("items", ())
                keys.update(key["key"] for item in items for key in item.get("keys") or ())

        await self._all(look(request) for request in self._luck.sample(placed, min(READ, len(placed))))
        return [*complaints, *(f"a key was given to {count} buyers" for count in keys.values() if count > 1)]

    @staticmethod
    async def _all(asking: Iterable[Coroutine[Any, Any, object]]) -> None:
        """Do all of it, a little at a time: nobody is to be turned away now."""
        free = asyncio.Semaphore(AT_ONCE)

        async def one(what: Coroutine[Any, Any, object]) -> None:
            async with free:
                await what

        await asyncio.gather(*map(one, asking))

    def _laws(self) -> list[Finding]:
        platform, requests = self._platform, self._history.requests
        proofs = platform.proofs()
        placed = {event.order_id: event for event in platform.events("order", OrderPlaced)}
        texts = self._luck.sample(self._shop.keys, SEARCHED)
        return [
            *(Finding(proof.name, 1, int(not proof.ok), () if proof.ok else (proof.detail,)) for proof in proofs),
            ack_durable(acks(requests), self._in_log()),
            finding("Placed as ordered", len(placed), altered(requests, placed)),
            idempotent_same(replies(requests)),
            no_plaintext(texts, _printed(platform.var)),
        ]

    def _in_log(self) -> set[tuple[str, str]]:
        events = self._platform.events
        done = {
            "place": {event.order_id for event in events("order", OrderPlaced)},
            "cancel": {event.order_id for event in events("order", OrderCancelled)},
            "refund": {event.refund_id for event in events("order", RefundApproved)},
        }
        return {(SERVICE, f"{kind} {name}") for kind, names in done.items() for name in names}

    async def _captured(self) -> Finding:
        """As the channel sees it; and whatever was paid there must have been received."""
        received = {event.payment_id for event in self._platform.events("ledger", PaymentReceived)}
        requested = {event.payment_id for event in self._platform.events("ledger", PaymentRequested)}
        seen_there: list[ChannelPayment] = []
        lost: list[str] = []

        async def look(payment_id: str) -> None:
            try:
                seen = await self._market.asked_as_merchant(f"/payments/{payment_id}")
            except Unexpected:  # cancelled before it was opened: the channel never heard of it
                return
            is_paid = seen["status"] == "paid"
            if is_paid and payment_id not in received:
                lost.append(f"{payment_id} was paid and never received")
            back = await self._market.asked_as_merchant(f"/payments/{payment_id}/refunds") if is_paid else {}
            refunds = {one["return_id"]: (one["amount"],) for one in back.get("refunds", ())}
            seen_there.append(ChannelPayment(payment_id, int(is_paid), seen["amount"] * is_paid, refunds))

        await self._all(map(look, requested))
        found = one_capture(seen_there)
        return Finding(found.law, found.checked, found.broken + len(lost), (*found.violations, *lost[:10]))

    async def _purchased(self) -> Finding:
        purchases = []
        for name in SUPPLIERS:
            async with httpx.AsyncClient(base_url=self._market.sandboxes[name], timeout=60) as supplier:
                for request_id, account in answer_of(await supplier.get("/purchases")).items():
                    purchases.append(SupplierPurchase(name, request_id, account["bought"]))
        delivered = {event.delivery_id for event in self._platform.events("fulfillment", SupplierDelivered)}
        by_hand = {event.delivery_id for event in self._platform.events("fulfillment", DeliveryHandedOver)}
        return one_purchase(purchases, delivered, by_hand)


def ended_orders(shop: Shop) -> dict[str, int]:
    """How many orders were placed, completed and cancelled; one that was reopened may be both."""
    kinds = {"placed": OrderPlaced, "completed": OrderCompleted, "cancelled": OrderCancelled}
    return {
        name: len({event.order_id for event in shop.platform.events("order", kind)}) for name, kind in kinds.items()
    }


def _printed(var: Path) -> Iterator[tuple[str, bytes]]:
    """What processes and servers wrote for people."""
    for file in (*sorted((var / "logs").glob("*.log")), *sorted(var.glob("*.log"))):
        yield file.name, file.read_bytes()
