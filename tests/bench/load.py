"""The load: people who place orders and read their keys, in a process of their own.

`python -m tests.bench.load` reads a Plan as JSON and prints what came of it. Closed loop: each of `callers` places the
next order once the last one's key was read. Open loop: orders begin `rate` a second whatever happens, and latency
counts from when an order should have begun.
"""

from __future__ import annotations

import asyncio
import json
import random
import subprocess
import sys
import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from itertools import count
from uuid import uuid4

import uvloop

from tests.bench.client import Answer, Connection

ADDRESSES, ORDERS_AN_ADDRESS = 12_000_000, 40  # more within a minute, and risk wants to look at them
PATIENCE_SECONDS = 60.0
FIRST_PAUSE, SHORTEST_PAUSE = 0.02, 0.01
CALLING = "tests.bench.load"


@dataclass(frozen=True)
class Plan:
    """What to order. `rate` is in orders a second, 0 for a closed loop; `wait` is how many seconds the server may hold
    a question for a delivery back until there is one, 0 when the client has to ask again and again."""

    host: str
    port: int
    tokens: list[str]
    skus: list[str]
    orders: int
    callers: int
    rate: float = 0.0
    wait: float = 0.0


@dataclass
class Report:
    """Milliseconds of each order from POST (or when it should have been) to key, and to the answer to the POST."""

    to_key: list[float] = field(default_factory=list)
    to_answer: list[float] = field(default_factory=list)
    questions: int = 0
    failures: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0
    processor_seconds: float = 0.0


class Load:
    """One run of a plan."""

    def __init__(self, plan: Plan) -> None:
        self.plan, self.report = plan, Report()
        self._failures: Counter[str] = Counter()
        self._numbers, self._addresses = count(), count(random.randrange(ADDRESSES // 2))
        self._free: list[tuple[Connection, int]] = []
        self._usual = FIRST_PAUSE

    async def run(self) -> Report:
        """All orders of the plan."""
        started = time.perf_counter()
        async with asyncio.TaskGroup() as tasks:
            if self.plan.rate:
                for number in range(self.plan.orders):
                    begin = started + number / self.plan.rate
                    await asyncio.sleep(begin - time.perf_counter())
                    tasks.create_task(self._order(number, begin))
            else:
                for _ in range(self.plan.callers):
                    tasks.create_task(self._caller())
        self.report.seconds = time.perf_counter() - started
        self.report.failures = dict(self._failures)
        self.report.processor_seconds = time.process_time()
        for connection, _ in self._free:
            connection.close()
        return self.report

    async def _caller(self) -> None:
        while (number := next(self._numbers)) < self.plan.orders:
            await self._order(number, time.perf_counter())

    async def _order(self, number: int, begin: float) -> None:
        connection, used = await self._connection()
        try:
            await self._bought(connection, number, begin)
        except (ConnectionError, TimeoutError) as error:
            self._failures[repr(error)[:200]] += 1
            connection.close()
            return
        self._give_back(connection, used + 1)

    async def _connection(self) -> tuple[Connection, int]:
        """A kept connection; a new one comes from an address of its own, as another customer would."""
        if self._free:
            return self._free.pop()
        at = next(self._addresses)
        source = f"127.{20 + at // 60_000}.{at // 240 % 250}.{1 + at % 240}"
        return await Connection(self.plan.host, self.plan.port, source).__aenter__(), 0

    def _give_back(self, connection: Connection, used: int) -> None:
        if used < ORDERS_AN_ADDRESS:
            self._free.append((connection, used))
        else:
            connection.close()

    async def _bought(self, connection: Connection, number: int, begin: float) -> None:
        plan = self.plan
        body = {"wishes": [{"sku": plan.skus[number % len(plan.skus)], "quantity": 1}]}
        token = {"Authorization": f"Bearer {plan.tokens[number % len(plan.tokens)]}"}
        status, placed = await connection.request(
            "POST", "/v1/orders", {**token, "Idempotency-Key": str(uuid4())}, body
        )
        if status != 201:
            self._failures[f"POST: {status} {placed}"[:200]] += 1
            return
        answered = time.perf_counter()
        if await self._key(connection, token, placed["order_id"]):
            self.report.to_answer.append((answered - begin) * 1e3)
            self.report.to_key.append((time.perf_counter() - begin) * 1e3)
            self._usual += (time.perf_counter() - answered - self._usual) / 20

    async def _key(self, connection: Connection, token: dict[str, str], order_id: str) -> bool:
        """Ask until the key is there: first after about the time that others had to wait, then more often."""
        path, deadline = f"/v1/orders/{order_id}", time.perf_counter() + PATIENCE_SECONDS
        waiting = f"?wait={self.plan.wait:g}" if self.plan.wait else ""
        pause = 0.8 * self._usual
        while time.perf_counter() < deadline:
            if not waiting:
                await asyncio.sleep(pause)
                pause = max(SHORTEST_PAUSE, 0.15 * self._usual)
                order = await self._ask(connection, path, token)
                if order[0] == 200 and order[1]["status"] in ("cancelled", "refunded"):
                    self._failures[f"the order was {order[1]['status']}: {order[1].get('cancel_reason')}"] += 1
                    return False
                if not _is_delivered(order):
                    continue
            status, found = await self._ask(connection, f"{path}/deliveries{waiting}", token)
            if status == 200 and any(item.get("keys") for item in found["items"]):
                return True
        self._failures["no key in time"] += 1
        return False

    async def _ask(self, connection: Connection, path: str, token: dict[str, str]) -> Answer:
        self.report.questions += 1
        return await connection.request("GET", path, token)


def _is_delivered(answer: Answer) -> bool:
    status, order = answer
    return status == 200 and all(line["status"] == "delivered" for line in order["lines"])


def generate(plan: Plan) -> Report:
    """Run a plan in a process of its own. Raises RuntimeError when an order failed."""
    command = [sys.executable, "-m", CALLING]
    done = subprocess.run(command, input=json.dumps(asdict(plan)), stdout=subprocess.PIPE, text=True, check=True)
    report = Report(**json.loads(done.stdout))
    if report.failures:
        raise RuntimeError(f"{sum(report.failures.values())} of {plan.orders} orders failed: {report.failures}")
    return report


if __name__ == "__main__":
    print(json.dumps(asdict(uvloop.run(Load(Plan(**json.load(sys.stdin))).run()))))
