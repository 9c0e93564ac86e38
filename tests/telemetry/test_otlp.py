"""A writer's process sends its spans over HTTP, and nobody waits for whoever receives them."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable

import pytest

from shared.eventstore import schema
from shared.messages.wire import CommandEnvelope, encode
from tests.runtime.cluster.builders import (
    Caller,
    Ground,
    Replica,
    wait_for,
)
from tests.telemetry.builders import CALLER, TRACE, Receiver, lines_of
from tests.telemetry.test_decisions import command

Start = Callable[..., Replica]


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Spans go out at once."""
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "200")


def ask(caller: Caller, id_: str, note: str = "") -> None:
    """Send a command of the caller's trace, and wait for the reply."""
    caller.send(encode([CommandEnvelope(command(id_, note), id_, caller.queue.name)]))
    wait_for(lambda: id_ in caller.answered, "a reply")


def test_spans_arrive_while_it_runs_and_when_it_ends(
    ground: Ground, replica: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Receiver() as receiver, Caller(ground.servers.amqp_url, "button") as caller:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.address)
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip")
        monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "4000")
        one = replica("BUTTON").wait_ready()
        ask(caller, "p1")
        wait_for(lambda: "button ToyPress" in receiver.spans(), "the span")
        resource, span = receiver.spans()["button ToyPress"]
        attributes = {item.key: item.value.string_value for item in span.attributes}

        assert (span.trace_id.hex(), span.parent_span_id.hex()) == (TRACE, CALLER)
        assert (resource["service.name"], resource["service.namespace"]) == ("kameng-button", "kameng")
        assert (attributes["kameng.outcome"], attributes["kameng.command"]) == ("accepted", "ToyPress.v1")
        (stored,) = ground.rows(schema.log)
        assert json.loads(stored["meta"])["traceparent"] == f"00-{TRACE}-{span.span_id.hex()}-01"

        # The next spans are due in some seconds.
        ask(caller, "p2", "poison")
        one.signal(signal.SIGTERM)
        assert one.wait() == 0
        assert "button parks ToyPress.v1" in receiver.spans()
        lines_of(one.log.read_text())


def test_a_receiver_that_never_answers_holds_nobody_up(
    ground: Ground, replica: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Receiver(silent=True) as receiver, Caller(ground.servers.amqp_url, "button") as caller:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.address)
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "600")
        one = replica("BUTTON").wait_ready()
        ask(caller, "p1")
        wait_for(receiver.asked.is_set, "the exporter's request")

        for number in range(2, 12):
            ask(caller, f"p{number}")
        answer = one.get("/healthz")
        assert answer is not None
        assert answer.status_code == 200
        one.signal(signal.SIGTERM)
        assert one.wait() == 0
        assert not receiver.speaks.is_set()
        assert not receiver.spans()


def test_nobody_to_receive_is_said_and_changes_nothing(
    ground: Ground, replica: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:hunter2Zq9xW@127.0.0.1:1")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
    with Caller(ground.servers.amqp_url, "button") as caller:
        one = replica("BUTTON").wait_ready()
        ask(caller, "p1")
        wait_for(lambda: "Failed to export spans" in one.log.read_text(), "a line about it")
        ask(caller, "p2")

    assert {line["level"] for line in lines_of(one.log.read_text())} <= {"info", "warning", "error"}
    assert "hunter2" not in one.log.read_text()
