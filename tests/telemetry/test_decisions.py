"""What a writer's spans tell when things go wrong, and when there is nothing to tell."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ParentBased
from structlog.testing import capture_logs

from shared.contracts import Command, Metadata
from shared.eventstore import log
from shared.messages.messages import CommandMessage, Reply
from shared.runtime.service import Effect, EffectFailed
from shared.telemetry import tracing
from tests.platform.harness import Harness
from tests.runtime.toy import POISON, REFUSING, ToyPress, button, gave_up, lamp
from tests.telemetry.builders import CALLER, TRACE, TRACEPARENT, Kept, facts, ids, kept


@pytest.fixture
def spans() -> Iterator[Kept]:
    with kept() as spans:
        yield spans


def tell(payload: Mapping[str, Any], attempt: int, adapters: object) -> Command:
    raise EffectFailed("north answered HTTP 500")


@pytest.fixture
def house(tmp_path: Path) -> Harness:
    return Harness(tmp_path, [button(), replace(lamp(), effects={"tell": Effect(tell, gave_up, attempts=2)})])


def command(id_: str, note: str = "", traceparent: str | None = TRACEPARENT) -> CommandMessage:
    meta = Metadata(correlation_id="flow", causation_id=id_, traceparent=traceparent)
    return CommandMessage(id_, ToyPress(button="a", note=note), meta)


def press(house: Harness, id_: str, traceparent: str | None = TRACEPARENT, note: str = "") -> Reply:
    reply = house.network.ask("button", command(id_, note, traceparent))
    house.drain()
    return reply.result()


def test_a_refused_command_says_so(house: Harness, spans: Kept) -> None:
    assert press(house, "p1", note=REFUSING).outcome == "refused"

    span = spans.named("button ToyPress")
    assert ids(span)[0::2] == (TRACE, CALLER)
    assert facts(span)["kameng.outcome"] == "refused"
    assert facts(span)["kameng.code"] == "stuck"
    assert facts(span)["kameng.stream"] == "button"


def test_a_remembered_reply_is_not_decided_again(house: Harness, spans: Kept) -> None:
    press(house, "p1")
    before = spans.names()

    assert press(house, "p1").repeated
    assert spans.names() == before


def test_a_decision_that_is_tried_again_has_one_span(house: Harness, spans: Kept) -> None:
    both = [command(f"p{number}", note) for number, note in enumerate(("", POISON))]
    outcome = house.loops["button"].writer.process(both)

    assert [reply.outcome for _, reply in outcome.replies] == ["accepted", "failed"]
    assert spans.names() == ["button parks ToyPress.v1", "button ToyPress"]


def test_a_parked_message_leaves_a_line_and_a_span(house: Harness, spans: Kept) -> None:
    with capture_logs() as lines:
        press(house, "p1", note="lamp-poison")

    (line,) = [line for line in lines if line["event"] == "message parked"]
    parked = next(span for span in spans if " parks " in span.name)
    assert (line["service"], line["correlation_id"], line["trace_id"]) == ("lamp", "flow", TRACE)
    assert (facts(parked)["kameng.outcome"], ids(parked)[0]) == ("parked", TRACE)
    assert not parked.status.is_ok
    assert "lamp-poison" not in parked.to_json() + str(line)


def test_a_message_parked_without_a_trace_leads_to_its_flow(house: Harness) -> None:
    with capture_logs() as lines:
        press(house, "p1", None, note="lamp-poison")

    (line,) = [line for line in lines if line["event"] == "message parked"]
    assert line["correlation_id"] == "flow"
    assert "trace_id" not in line


def test_a_failed_call_leaves_a_line_and_a_span(house: Harness, spans: Kept) -> None:
    with capture_logs() as lines:
        press(house, "p1", note="call")

    (line,) = [line for line in lines if line["event"] == "call failed"]
    call = spans.named("lamp tell")
    assert line["error"] == call.status.description == "north answered HTTP 500"
    assert (facts(call)["kameng.attempt"], ids(call)[0]) == (1, TRACE)


def test_a_message_without_a_trace_makes_no_span(house: Harness, spans: Kept) -> None:
    press(house, "p1", None)

    assert spans.names() == []


def test_a_trace_that_is_not_kept_is_not_carried() -> None:
    message = command("p1", traceparent=None)
    with (
        kept(ParentBased(ALWAYS_OFF)) as spans,
        tracing.requested("POST", []),
        tracing.sending(message.command, message.meta) as meta,
    ):
        assert meta.traceparent is None

    assert spans.names() == []


def test_what_is_rolled_back_was_never_there(house: Harness, spans: Kept) -> None:
    runner = house.loops["button"]
    engine = runner.writer.engine
    with engine.begin() as connection:
        log.next_epoch(connection)
    with pytest.raises(log.Fenced):
        runner.writer.process([command("p1")])

    assert spans.names() == []


OFF = """
import os, sys, tempfile
from pathlib import Path
from services import all_services
from shared.telemetry.tracing import start_tracing
from tests.platform.harness import Harness
from tests.bench.goods import order, stocking
import cli.gateway, cli.serving, services.gateway.http
start_tracing("order")
with tempfile.TemporaryDirectory() as folder:
    house = Harness(Path(folder), all_services())
    for command in stocking(1, 2, house.secrets, house.ids):
        house.send(command.owner, command)
    assert house.send("order", order(0, 1, house.secrets)).outcome == "accepted"
print([name for name in sys.modules if name.startswith(("opentelemetry.sdk", "opentelemetry.exporter", "google."))])
"""


def test_while_it_is_off_nothing_of_it_is_imported() -> None:
    disabled = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318", "OTEL_SDK_DISABLED": "TRUE"}
    ran = subprocess.run([sys.executable, "-c", OFF], capture_output=True, text=True, env=clean(disabled), check=True)

    assert ran.stdout == "[]\n"


@pytest.mark.parametrize("setting", [{}, {tracing.ENDPOINTS[1]: ""}, {"OTEL_SERVICE_NAME": "kameng"}])
def test_it_is_off_until_an_endpoint_is_named(setting: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*tracing.ENDPOINTS, "OTEL_SERVICE_NAME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in setting.items():
        monkeypatch.setenv(name, value)
    tracing.start_tracing("order")

    assert tracing._spans is None


def clean(more: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")} | dict(more)


def test_another_protocol_than_http_is_refused_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4317")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
    with capture_logs() as lines:
        tracing.start_tracing("order")

    assert lines[0]["event"] == "no traces: OTLP is spoken over HTTP only"
    assert tracing._spans is None
