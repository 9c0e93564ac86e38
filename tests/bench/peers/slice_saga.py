"""The saga as bare loops: slices of logs over RabbitMQ, rows by COPY into PostgreSQL, no domain and no HTTP.

`python -m tests.bench.peers.slice_saga SERVICE` runs one service until it is told to stop. It needs `AMQP_URL`, and
`DATABASES`: a conninfo with ANY_SERVICE for a name. A slice is [source, first, last, [[position, type, id, data]]].
"""

from __future__ import annotations

import os
import signal
import sys
from collections import defaultdict
from typing import Any
from uuid import uuid4

import orjson
import psycopg
from kombu.connection import Connection
from kombu.transport.pyamqp import Message

from tests.bench.peers.flow import ANSWERS, ANY_SERVICE, APPENDS, JOINED, SERVICES, heard_by, sources_of

TABLES = """
create table log(position bigint primary key, stream text, version int, id text, type text, data text, meta text,
    at timestamptz default now(), unique(stream, version));
create table readers(source text primary key, position bigint);
create table commands(id text primary key);
create table head(position bigint);
insert into head values (0);
create table shown(id text primary key, status text, events int);
"""
MOVE_READER = """
insert into readers values (%s, %s) on conflict (source) do update set position = excluded.position
"""
COPY_LOG = "copy log(position, stream, version, id, type, data, meta) from stdin"
SHOW = """
insert into shown select * from unnest(%s::text[], %s::text[], %s::int[])
on conflict (id) do update set status = excluded.status, events = shown.events + excluded.events
"""
META = '{"site": "main", "correlation_id": "%s", "causation_id": "%s", "actor": "system:floor"}'
PREFETCH, LINGER_SECONDS, ENOUGH = 400, 0.002, 200
COMMANDS = "command"
Slice = list[Any]


def exchange(service: str) -> str:
    """Where a service's slices are published."""
    return f"bench.floor.{service}"


def queue(service: str) -> str:
    """Where a service's slices arrive."""
    return f"bench.floor.{service}.inbox"


def prepare(channel: Any) -> None:
    """Exchanges, and empty queues bound to them."""
    for service in SERVICES:
        channel.exchange_declare(exchange(service), "fanout", durable=False, auto_delete=False)
    for service in SERVICES:
        channel.queue_delete(queue(service))
        channel.queue_declare(queue(service), durable=False, auto_delete=False)
        for source in sources_of(service):
            channel.queue_bind(queue(service), exchange(source))


class Service:
    """One service: takes what has arrived, commits it, publishes one slice of what it appended."""

    def __init__(self, name: str, channel: Any, database: psycopg.Connection[Any]) -> None:
        self.name, self.channel, self.database = name, channel, database
        self.is_relevant, self.appends = heard_by(name), APPENDS[name]
        self.position = 0
        self.versions: defaultdict[str, int] = defaultdict(int)
        self.answers: defaultdict[str, int] = defaultdict(int)

    def commit(self, messages: list[Message]) -> None:
        batches = [orjson.loads(message.body or b"[]") for message in messages]
        commands = [event[2] for source, _, _, events in batches for event in events if source == COMMANDS]
        heard = [event for part in batches for event in part[3] if event[1] in self.is_relevant]
        appended = [row for event in heard for row in self._decided(event)]
        with self.database.transaction(), self.database.cursor() as cursor:
            for source, last in {part[0]: part[2] for part in batches if part[0] != COMMANDS}.items():
                cursor.execute(MOVE_READER, (source, last))
            if commands:
                _copy(cursor, "copy commands from stdin", [(id_,) for id_ in commands])
            if self.name == "gateway":
                self._show(cursor, heard)
            if appended:
                _copy(cursor, COPY_LOG, appended)
                cursor.execute("update head set position = %s", (self.position,))
        self._publish(appended, heard)
        self.channel.basic_ack(messages[-1].delivery_tag, multiple=True)

    def _decided(self, event: list[Any]) -> list[tuple[Any, ...]]:
        _, type_, id_, data = event
        then = self.appends.get(type_, ())
        order = orjson.loads(data)
        stream = order["order_id"]
        if type_ in ANSWERS and self.name == "order":
            self.answers[stream] += 1
            then = (f"{type_}Recorded", *((JOINED,) if self.answers[stream] == len(ANSWERS) else ()))
        return [self._row(stream, name, id_, data) for name in then]

    def _row(self, stream: str, name: str, cause: str, data: str) -> tuple[Any, ...]:
        self.position += 1
        self.versions[stream] += 1
        return self.position, stream, self.versions[stream], str(uuid4()), name, data, META % (stream, cause)

    def _show(self, cursor: psycopg.Cursor[Any], heard: list[list[Any]]) -> None:
        orders: dict[str, list[str]] = defaultdict(list)
        for _, type_, _, data in heard:
            orders[orjson.loads(data)["order_id"]].append(type_)
        names = [types[-1] for types in orders.values()]
        cursor.execute(SHOW, (list(orders), names, [len(types) for types in orders.values()]))

    def _publish(self, appended: list[tuple[Any, ...]], heard: list[list[Any]]) -> None:
        """What was appended; the gateway tells what can be read now instead."""
        events = [[row[0], row[4], row[3], row[5]] for row in appended] or (heard if self.name == "gateway" else [])
        if not events:
            return
        body = orjson.dumps([self.name, events[0][0], events[-1][0], events])
        message = self.channel.prepare_message(body, properties={"delivery_mode": 1})
        self.channel.basic_publish(message, exchange=exchange(self.name), routing_key="")


def _copy(cursor: psycopg.Cursor[Any], statement: str, rows: list[tuple[Any, ...]]) -> None:
    with cursor.copy(statement.encode()) as copying:
        for row in rows:
            copying.write_row(row)


def run(name: str) -> None:
    """Until SIGTERM."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    connection = Connection(os.environ["AMQP_URL"]).transport.establish_connection()
    channel = connection.channel()
    with psycopg.connect(os.environ["DATABASES"].replace(ANY_SERVICE, name), autocommit=True) as database:
        service, arrived = Service(name, channel, database), list[Message]()
        channel.basic_qos(0, PREFETCH, False)
        channel.basic_consume(queue(name), callback=arrived.append)
        while True:
            try:
                connection.drain_events(timeout=LINGER_SECONDS if arrived else None)
                if len(arrived) < ENOUGH:
                    continue
            except TimeoutError:
                pass
            batch = arrived[:]
            arrived.clear()  # before the commit, as publishing takes in more
            service.commit(batch)


if __name__ == "__main__":
    run(sys.argv[1])
