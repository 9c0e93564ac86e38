"""The floor's load: orders as slices of commands, so many under way, until each can be read.

`python -m tests.bench.peers.slice_load ORDERS UNDER_WAY` prints a load.Report as JSON. It needs `AMQP_URL`.
"""

from __future__ import annotations

import json
import os
import sys
import time
from dataclasses import asdict
from uuid import uuid4

import orjson
from kombu.connection import Connection
from kombu.transport.pyamqp import Message

from tests.bench.load import Report
from tests.bench.peers.flow import READABLE
from tests.bench.peers.slice_saga import COMMANDS, exchange, queue

PATIENCE_SECONDS = 300
PADDING = "x" * 300  # to the size of a real event


def run(orders: int, under_way: int) -> Report:
    """All of them."""
    connection = Connection(os.environ["AMQP_URL"]).transport.establish_connection()
    channel, report = connection.channel(), Report()
    begun: dict[str, float] = {}
    inbox = channel.queue_declare(exclusive=True).queue
    channel.queue_bind(inbox, exchange("gateway"))

    def readable(message: Message) -> None:
        now = time.perf_counter()
        for _, type_, _, data in orjson.loads(message.body or b"")[3]:
            order_id = orjson.loads(data)["order_id"]
            if type_ == READABLE and order_id in begun:
                report.to_key.append((now - begun.pop(order_id)) * 1e3)

    channel.basic_consume(inbox, callback=readable, no_ack=True)
    started, placed = time.perf_counter(), 0
    while len(report.to_key) < orders:
        while placed < orders and len(begun) < under_way:
            order = {"order_id": uuid4().hex, "customer": f"customer-{placed % 20}", "padding": PADDING}
            event = [0, "PlaceOrder", str(uuid4()), orjson.dumps(order).decode()]
            begun[order["order_id"]] = time.perf_counter()
            message = channel.prepare_message(orjson.dumps([COMMANDS, 0, 0, [event]]), properties={"delivery_mode": 1})
            channel.basic_publish(message, exchange="", routing_key=queue("order"))
            placed += 1
        connection.drain_events(timeout=PATIENCE_SECONDS)
    report.seconds, report.processor_seconds = time.perf_counter() - started, time.process_time()
    connection.close()
    return report


if __name__ == "__main__":
    print(json.dumps(asdict(run(int(sys.argv[1]), int(sys.argv[2])))))
