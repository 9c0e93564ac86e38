"""Switches tracing on, and marks what makes a span; OpenTelemetry is not imported while tracing is off.

The trace context travels in `Metadata.traceparent`: from the request to the command, its events, and what they cause. A
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

from shared.contracts.fields import NAMED_IN_LOGS
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
    """A command that a writer decides."""

    @property
    def command(self) -> Command: ...
    @property
    def meta(self) -> Metadata: ...
    @property
    def stream(self) -> str: ...


def start_tracing(service: str) -> None:
    """Export spans as `kameng-<service>` to the OTLP endpoint in the environment, if there is one.

    Call it once a process; in the cluster host, after monkey-patching.
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
    """Make spans with `spans` from now on; None switches tracing off."""
    global _spans
    _spans = spans


# HTTP servers


@contextmanager
def requested(method: str, headers: Iterable[tuple[bytes, bytes]]) -> Iterator[Span | None]:
    """The span of a request while it is answered; it continues the trace in the request's `traceparent`, if any."""
    if _spans is None:
        yield None
        return
    with _spans.requested(method, dict(headers)) as span:
        yield span


def answered(span: Span | None, name: str, route: str, status: int | None) -> None:
    """Complete a request's span with its route and status. `name` is its method and route."""
    if span is not None and _spans is not None:
        _spans.answered(span, name, route, status)


def sending(command: Command, meta: Metadata) -> AbstractContextManager[Metadata]:
    """The span of sending a command to its owner and waiting for the reply. Yields the metadata to send it with. Later
    log lines of this context name the command's flow and the things in NAMED_IN_LOGS."""
    bind(correlation_id=meta.correlation_id, **{name: getattr(command, name, None) for name in NAMED_IN_LOGS})
    return nullcontext(meta) if _spans is None else _spans.sending(command.type(), command.owner, meta)


# Writers


class Decisions:
    """The spans of a writer's decisions that are not committed yet. They end with the commit; a rollback drops them."""

    def __init__(self, service: str) -> None:
        self._service = service
        self._open: list[Span] = []

    def decided(self, task: TracedCommand, events: int) -> Metadata:
        """Begin the span of a decided command. Returns the metadata for its events."""
        if _spans is None or task.meta.traceparent is None:
            return task.meta
        outcome = "accepted" if events else "nothing to do"
        return self._begin(task, {"kameng.outcome": outcome, "kameng.events": events})

    def refused(self, task: TracedCommand, code: str) -> None:
        """Begin the span of a refused command."""
        if _spans is not None and task.meta.traceparent is not None:
            self._begin(task, {"kameng.outcome": "refused", "kameng.code": code})

    def _begin(self, task: TracedCommand, facts: dict[str, str | int]) -> Metadata:
        assert _spans is not None
        span, traceparent = _spans.decided(self._service, task, facts)
        self._open.append(span)
        return task.meta.model_copy(update={"traceparent": traceparent})

    def flush(self) -> None:
        """Do nothing: spans are not stored in the database."""

    def committed(self) -> None:
        """Call it after the commit: ends the spans."""
        for span in self._open:
            span.end()
        self._open.clear()

    def forget(self) -> None:
        """Call it after a rollback: drops the spans."""
        self._open.clear()


def parked(service: str, row: Mapping[str, Any]) -> None:
    """Log a parked message, and make its span. `row` is its row of the table `parked`."""
    meta = _parsed(row["meta"])
    data = _parsed(row["data"])
    if row["kind"] == "event":
        data = _parsed(data.get("data"))
    facts = {"correlation_id": meta.get("correlation_id"), **{name: data.get(name) for name in NAMED_IN_LOGS}}
    traceparent = meta.get("traceparent")
    if traceparent:
        facts |= _ids(traceparent)
    known = {name: fact for name, fact in facts.items() if fact is not None}
    logger.error("message parked", service=service, ref=row["id"], type=row["type"], error=row["error"], **known)
    if _spans is not None and traceparent:
        _spans.parked(service, row["type"], row["error"], traceparent)


def _parsed(text: object) -> dict[str, Any]:
    """A parked message as a JSON object; empty when it is none."""
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
    """The span and log context of an external call while it is made. Yields the call with its trace context."""
    facts = {
        "service": service, "effect": call.effect, "attempt": call.attempt,
        "correlation_id": call.meta.correlation_id, **{name: call.payload.get(name) for name in NAMED_IN_LOGS},
    }  # fmt: skip
    known = {name: fact for name, fact in facts.items() if fact is not None}
    with structlog.contextvars.bound_contextvars(**known):
        if _spans is None or call.meta.traceparent is None:
            yield call
            return
        with _spans.calling(service, call) as traceparent, structlog.contextvars.bound_contextvars(**_ids(traceparent)):
            yield replace(call, meta=call.meta.model_copy(update={"traceparent": traceparent}))


def call_failed(error: str) -> None:
    """Log that the current external call failed, and mark its span."""
    logger.warning("call failed", error=error)
    if _spans is not None:
        _spans.failed(error)


def propagate(request: httpx.Request) -> None:
    """Add the current span's traceparent to a request."""
    if _spans is not None and (traceparent := _spans.current()):
        request.headers["traceparent"] = traceparent
