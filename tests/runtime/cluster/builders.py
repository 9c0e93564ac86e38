"""A fresh database, callers, a fake log server, and replicas of a toy service to be killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from threading import Lock, Thread
from typing import Any
from uuid import uuid4

import httpx
import pika
import sqlalchemy as sa

from deploy.local.infrastructure import Infrastructure
from deploy.local.waiting import until
from shared.contracts import Command, Event
from shared.eventstore import chain_check, log_reader
from shared.eventstore.divergence import Divergence
from shared.eventstore.engines import open_engine
from shared.messages.messages import EventBatch, Reply
from shared.messages.topology import (
    inbox,
    log_exchange,
    pulls,
    replies,
)
from shared.messages.wire import (
    CommandEnvelope,
    LogHead,
    MessageBody,
    Pull,
    ReplyEnvelope,
    encode,
)
from shared.runtime.clock import Clock
from shared.runtime.cluster.settings import ClusterSettings
from shared.runtime.cluster.writer_process import WriterProcess
from shared.runtime.consumer_loop import make_call
from shared.runtime.ids import Ids
from shared.runtime.service import HostContext, Service
from shared.runtime.settings import Settings
from shared.security.secrets import Secrets
from tests.broker.broker import Consumer
from tests.runtime.builders import pressed, send
from tests.waiting import PATIENCE, wait_for

ROOT = Path(__file__).parents[3]


class Ground:
    """One database and the broker."""

    def __init__(self, servers: Infrastructure, tmp_path: Path) -> None:
        self.servers, self.tmp_path = servers, tmp_path
        self._admin = sa.create_engine(servers.postgres_url, isolation_level="AUTOCOMMIT")
        self._name = f"test_{uuid4().hex}"
        self.execute(f"CREATE DATABASE {self._name}")
        self.url = sa.make_url(servers.postgres_url).set(database=self._name).render_as_string(hide_password=False)
        self.engine = open_engine(self.url, writer=False)
        self.settings = ClusterSettings(database_url=self.url, amqp_url=servers.amqp_url)

    def execute(self, statement: str) -> None:
        """As the superuser."""
        with self._admin.connect() as connection:
            connection.exec_driver_sql(statement)

    def drop(self) -> None:
        self.engine.dispose()
        self.execute(f"DROP DATABASE {self._name} WITH (FORCE)")
        self._admin.dispose()

    def end_sessions(self, of: str = "") -> None:
        """As an administrator would: connections to the database whose application is named so are ended."""
        sessions = f"FROM pg_stat_activity WHERE datname = '{self._name}' AND application_name LIKE '%%{of}%%'"
        self.execute(f"SELECT pg_terminate_backend(pid) {sessions}")

    def events(self, service: str) -> list[Event]:
        """The service's log, whole and chained; empty before its first writer."""
        if not sa.inspect(self.engine).has_table("head"):
            return []
        found = list(log_reader.read_all(self.engine, service))
        assert [one.position for one in found] == list(range(1, len(found) + 1))
        assert chain_check.check_chain(self.engine) is None
        return [one.event for one in found]

    def rows(self, table: sa.Table) -> list[dict[str, Any]]:
        """What a table holds; nothing before its first writer."""
        if not sa.inspect(self.engine).has_table(table.name):
            return []
        with self.engine.connect() as connection:
            return [dict(row) for row in connection.execute(sa.select(table)).mappings()]

    def delete_queue(self, service: str) -> None:
        with pika.BlockingConnection(pika.URLParameters(self.servers.amqp_url)) as connection:
            connection.channel().queue_delete(inbox(service, ()).name)

    def delete_exchange(self, service: str) -> None:
        with pika.BlockingConnection(pika.URLParameters(self.servers.amqp_url)) as connection:
            connection.channel().exchange_delete(log_exchange(service))

    def waiting(self, service: str) -> int:
        """How many messages wait in an inbox, none of them handed out."""
        with pika.BlockingConnection(pika.URLParameters(self.servers.amqp_url)) as connection:
            return connection.channel().queue_declare(inbox(service, ()).name, passive=True).method.message_count


@contextmanager
def in_process(service: Service, ground: Ground) -> Iterator[WriterProcess]:
    """A writer on a thread of this process, that stops in good order."""
    nowhere = Path("/nonexistent")
    process = WriterProcess(
        service, ground.settings, HostContext(Settings(var=nowhere), Clock(), Ids(), Secrets(nowhere))
    )

    def perform(writer: Any, call: Any, done: Any) -> None:
        Thread(target=lambda: done(make_call(writer, call)), daemon=True).start()

    thread = Thread(target=process.run, args=(perform,), daemon=True)
    thread.start()
    try:
        yield process
    finally:
        process.stop()
        thread.join(PATIENCE)
        assert not thread.is_alive()


class Caller:
    """Asks a service by its inbox, as often as wanted, and keeps the replies by the command's id."""

    def __init__(self, amqp_url: str, service: str) -> None:
        self._url, self._service = amqp_url, service
        self.answered: dict[str, list[Reply]] = {}
        self.queue = replies(f"test-{uuid4().hex}")
        self._hearing = Consumer(amqp_url, self.queue, self._heard)
        self._lock = Lock()

    def __enter__(self) -> Caller:
        self._hearing.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._hearing.__exit__(*error)

    def _heard(self, _consumer: Consumer, body: MessageBody) -> None:
        assert isinstance(body, list)
        for one in body:
            assert isinstance(one, ReplyEnvelope)
            with self._lock:
                self.answered.setdefault(one.ticket, []).append(one.reply)

    def ask(self, commands: Mapping[str, Command]) -> None:
        """Send commands by their ids; a queue that is not there loses them."""
        body = [CommandEnvelope(send(id_, command), id_, self.queue.name) for id_, command in commands.items()]
        self.send(encode(body))

    def send(self, *bodies: bytes) -> None:
        with pika.BlockingConnection(pika.URLParameters(self._url)) as connection:
            channel = connection.channel()
            for body in bodies:
                channel.basic_publish("", inbox(self._service, ()).name, body)

    def insist(self, commands: Mapping[str, Command], seconds: float = PATIENCE) -> dict[str, Reply]:
        """Ask again and again until every command has its reply."""

        def all_answered() -> bool:
            missing = {id_: command for id_, command in commands.items() if id_ not in self.answered}
            if missing:
                self.ask(missing)
                until(lambda: missing.keys() <= self.answered.keys(), 1.0)
            return not missing

        wait_for(all_answered, "replies", seconds)
        return {id_: self.answered[id_][0] for id_ in commands}


class FakeLog:
    """A log of button presses and its server, which can be told to send anything in any order."""

    def __init__(self, amqp_url: str, *notes: tuple[str, str]) -> None:
        self._url, self.notes, self.pulled = amqp_url, list(notes), list[Pull]()
        self._server = Consumer(amqp_url, pulls("button"), self._answer)

    def __enter__(self) -> FakeLog:
        self._server.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._server.__exit__(*error)

    def part(self, first: int, last: int) -> EventBatch:
        """The stretch from first to last."""
        return pressed(first, *self.notes[first - 1 : last])

    def _answer(self, consumer: Consumer, body: MessageBody) -> None:
        assert isinstance(body, Pull)
        self.pulled.append(body)
        last = min(len(self.notes), body.after + body.limit)
        if last > body.after:
            consumer.say(body.queue, self.part(body.after + 1, last))

    def publish(self, *bodies: EventBatch | LogHead) -> None:
        """To every reader."""
        with pika.BlockingConnection(pika.URLParameters(self._url)) as connection:
            channel = connection.channel()
            channel.exchange_declare(log_exchange("button"), "fanout")
            for body in bodies:
                channel.basic_publish(log_exchange("button"), "", encode(body))

    def head(self) -> LogHead:
        return LogHead("button", len(self.notes))

    def tell_diverged(self, reader: str, position: int, head: int) -> None:
        """To one reader, as the log's owner does."""
        with pika.BlockingConnection(pika.URLParameters(self._url)) as connection:
            body = encode(Divergence(reader, "button", position, head))
            connection.channel().basic_publish("", inbox(reader, ()).name, body)


class Replica:
    """`python -m shared.runtime.cluster` with a toy service."""

    def __init__(self, ground: Ground, declared: str, world: int = 0) -> None:
        self._file = ground.tmp_path / f"{uuid4().hex}.address"
        self.log = self._file.with_suffix(".log")
        environment = {
            **os.environ,
            "KAMENG_DATABASE_URL": ground.url,
            "KAMENG_AMQP_URL": ground.servers.amqp_url,
            "KAMENG_HEALTH_FILE": str(self._file),
            "KAMENG_VAR": str(ground.tmp_path),
            "KAMENG_TEST_WORLD": str(world),
        }
        command = [sys.executable, "-m", "shared.runtime.cluster", f"tests.runtime.cluster.declared:{declared}"]
        with self.log.open("wb") as output:
            self._process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=output, stderr=output)

    def get(self, path: str) -> httpx.Response | None:
        """An answer, whatever it is; None when there is none."""
        try:
            return httpx.get(self._file.read_text() + path, timeout=5)
        except (FileNotFoundError, httpx.TransportError):
            return None

    def is_ready(self, role: str) -> bool:
        answer = self.get("/readyz")
        return answer is not None and answer.status_code == 200 and answer.json()["role"] == role

    def wait_ready(self, role: str = "leader", seconds: float = PATIENCE) -> Replica:
        ready = until(lambda: self.is_ready(role), seconds)
        assert ready, f"never a {role}: {self.log.read_text()[-3000:]}"
        return self

    def logged(self, event: str) -> list[dict[str, Any]]:
        lines = [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")]
        return [line for line in lines if line["event"] == event]

    def signal(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def wait(self) -> int:
        """The exit code, negative for a signal."""
        return self._process.wait(PATIENCE)

    def kill(self) -> None:
        """Without a chance to say a word."""
        self._process.kill()
        self._process.wait()
