"""Traces: where the platform tells what it does, and the switch. Nothing of OpenTelemetry is imported while it is off.

The context travels as `Metadata.traceparent`, from the request to the command, to the events, to what they lead to. A
trace begins at the HTTP API only; a message without a context makes no span. `shared/telemetry/spans.py` makes them.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

import structlog

from shared.telemetry.logs import bind

if TYPE_CHECKING:
    import httpx
    from opentelemetry.trace import Span

    from shared.contracts import Command, Metadata
    from shared.scheduler.scheduler import DueCall
    from shared.telemetry.spans import Spans

ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
HTTP = "http/protobuf"
logger = structlog.get_logger()
_spans: Spans | None = None


class TracedCommand(Protocol):
    """What a writer decides on."""

    @property
    def command(self) -> Command: ...
    @property
    def meta(self) -> Metadata: ...
    @property
    def stream(self) -> str: ...


def start_tracing(service: str) -> None:
    """Send spans to the OTLP endpoint of the environment, if it names one, as `kameng-<service>`.

    To be called once a process, after it has become green if it does.
    """
    if not any(map(os.environ.get, ENDPOINTS)):
        return
    if _is("OTEL_SDK_DISABLED", "true") or _is("OTEL_TRACES_EXPORTER", "none"):
        return
    protocol = next(filter(None, map(os.environ.get, PROTOCOLS)), HTTP)
    if protocol != HTTP:
        logger.error("no traces: OTLP is spoken over HTTP only", protocol=protocol, wanted=HTTP)
        return
    from shared.telemetry.spans import Spans, exporting

    trace_with(Spans(exporting(service)))


def _is(variable: str, value: str) -> bool:
    return os.environ.get(variable, "").strip().lower() == value


def trace_with(spans: Spans | None) -> None:
    """Have spans made by this from now on; by nobody when None."""
    global _spans
    _spans = spans


# An HTTP side


@contextmanager
def requested(method: str, headers: Iterable[tuple[bytes, bytes]]) -> Iterator[Span | None]:
    """A request is answered. It belongs to the trace that its `traceparent` names, if it brings one."""
    if _spans is None:
        yield None
        return
    with _spans.requested(method, dict(headers)) as span:
        yield span


def answered(span: Span | None, name: str, route: str, status: int | None) -> None:
    """What a request was about, once that is known: `name` is its method and route."""
    if span is not None and _spans is not None:
        _spans.answered(span, name, route, status)


def sending(command: str, to: str, meta: Metadata, order_id: object = None) -> AbstractContextManager[Metadata]:
    """A command is sent and its reply awaited; gives the metadata to send it with. What is logged from here on in
    this context says which flow, and which order, it is about."""
    bind(correlation_id=meta.correlation_id, order_id=order_id)
    return nullcontext(meta) if _spans is None else _spans.sending(command, to, meta)


# A writer


class Decisions:
    """The spans of what a writer has decided and not yet committed. They end with the commit; what is rolled back was
    never there."""

    def __init__(self, service: str) -> None:
        self._service = service
        self._open: list[Span] = []

    def decided(self, task: TracedCommand, events: int) -> Metadata:
        """A command was decided; gives the metadata that its events lead on."""
        if _spans is None or task.meta.traceparent is None:
            return task.meta
        outcome = "accepted" if events else "nothing to do"
        return self._begin(task, {"kameng.outcome": outcome, "kameng.events": events})

    def refused(self, task: TracedCommand, code: str) -> None:
        """A command was refused."""
        if _spans is not None and task.meta.traceparent is not None:
            self._begin(task, {"kameng.outcome": "refused", "kameng.code": code})

    def _begin(self, task: TracedCommand, facts: dict[str, str | int]) -> Metadata:
        assert _spans is not None
        span, traceparent = _spans.decided(self._service, task, facts)
        self._open.append(span)
        return task.meta.model_copy(update={"traceparent": traceparent})

    def flush(self) -> None:
        """Nothing is written."""

    def committed(self) -> None:
        """What was decided is durable."""
        for span in self._open:
            span.end()
        self._open.clear()

    def forget(self) -> None:
        """It was not."""
        self._open.clear()


def parked(service: str, row: Mapping[str, Any]) -> None:
    """A message was parked, as this row."""
    meta = _parsed(row["meta"])
    told = _parsed(row["data"])
    if row["kind"] == "event":
        told = _parsed(told.get("data"))
    facts = {"correlation_id": meta.get("correlation_id"), "order_id": told.get("order_id")}
    traceparent = meta.get("traceparent")
    if traceparent:
        facts |= _ids(traceparent)
    known = {name: fact for name, fact in facts.items() if fact is not None}
    logger.error("message parked", service=service, ref=row["id"], type=row["type"], error=row["error"], **known)
    if _spans is not None and traceparent:
        _spans.parked(service, row["type"], row["error"], traceparent)


def _parsed(text: object) -> dict[str, Any]:
    """A parked message may be anything."""
    try:
        found = json.loads(text) if isinstance(text, str) else {}
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _ids(traceparent: str) -> dict[str, str]:
    _, trace_id, span_id, _ = traceparent.split("-")
    return {"trace_id": trace_id, "span_id": span_id}


@contextmanager
def calling(service: str, call: DueCall) -> Iterator[DueCall]:
    """A call to the outside world is made; gives it as its result should name it."""
    facts = {
        "service": service, "effect": call.effect, "attempt": call.attempt,
        "correlation_id": call.meta.correlation_id, "order_id": call.payload.get("order_id"),
    }  # fmt: skip
    known = {name: fact for name, fact in facts.items() if fact is not None}
    with structlog.contextvars.bound_contextvars(**known):
        if _spans is None or call.meta.traceparent is None:
            yield call
            return
        with _spans.calling(service, call) as traceparent, structlog.contextvars.bound_contextvars(**_ids(traceparent)):
            yield replace(call, meta=call.meta.model_copy(update={"traceparent": traceparent}))


def call_failed(error: str) -> None:
    """The call that is being made failed. It will be made again, or given up."""
    logger.warning("call failed", error=error)
    if _spans is not None:
        _spans.failed(error)


def tell(request: httpx.Request) -> None:
    """Tell the other side of a call which span it belongs to."""
    if _spans is not None and (traceparent := _spans.current()):
        request.headers["traceparent"] = traceparent
