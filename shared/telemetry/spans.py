"""Makes OpenTelemetry spans; imported only when tracing is on.

Attributes name things, outcomes and code. They never hold people, addresses, texts or bodies.
"""

from __future__ import annotations

import atexit
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from threading import Event, Thread
from typing import TYPE_CHECKING

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import (
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    get_current_span,
    set_span_in_context,
    use_span,
)
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from shared.contracts.fields import NAMED_IN_LOGS, THING_KEYS
from shared.telemetry.logs import bind

if TYPE_CHECKING:
    from shared.contracts import Metadata
    from shared.scheduler.scheduler import DueCall
    from shared.telemetry.tracing import TracedCommand

NAME = "service.name"
LEAVING_SECONDS = 3.0
Facts = Mapping[str, str | int]


def exporting(service: str) -> TracerProvider:
    """A provider that exports spans in batches, on a thread, to the endpoint and with the sampling of OpenTelemetry's
    environment variables.

    In a monkey-patched process the thread is a greenthread. At the end of the process, exporting the remaining spans
    may take LEAVING_SECONDS.
    """
    own = Resource({NAME: f"kameng-{service}", "service.namespace": "kameng", "service.version": version("kameng")})
    resource = Resource.create().merge(own).merge(OTELResourceDetector().detect())
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    _leave_in_time(provider)
    return provider


def _leave_in_time(provider: TracerProvider) -> None:
    """Limit the time of the last export: without a receiver it would hold up the end of the process for half a
    minute."""
    leaving, left = Event(), Event()

    def leave() -> None:
        leaving.wait()
        provider.shutdown()
        left.set()

    def wait() -> None:
        leaving.set()
        left.wait(LEAVING_SECONDS)

    Thread(target=leave, name="last spans", daemon=True).start()
    atexit.register(wait)


class Spans:
    """Makes the platform's spans with a provider's tracer."""

    def __init__(self, provider: TracerProvider) -> None:
        self._tracer = provider.get_tracer("kameng", version("kameng"))
        self._propagator = TraceContextTextMapPropagator()

    @contextmanager
    def requested(self, method: str, headers: Mapping[bytes, bytes]) -> Iterator[Span]:
        brought = {name: headers[key].decode("latin-1") for name in _TRACE_CONTEXT if (key := name.encode()) in headers}
        span = self._tracer.start_span(
            method, self._propagator.extract(brought, Context()), SpanKind.SERVER, {"http.request.method": method}
        )
        bind(**_shown(span.get_span_context()))
        with _current(span):
            yield span

    def answered(self, span: Span, name: str, route: str, status: int | None) -> None:
        span.update_name(name)
        span.set_attribute("http.route", route)
        if status is not None:
            span.set_attribute("http.response.status_code", status)
        if status is None or status >= 500:
            span.set_status(Status(StatusCode.ERROR))

    @contextmanager
    def sending(self, command: str, to: str, meta: Metadata) -> Iterator[Metadata]:
        facts = {"kameng.command": command, "kameng.to": to, "kameng.correlation_id": meta.correlation_id}
        with _current(self._tracer.start_span(f"send {command}", None, SpanKind.PRODUCER, facts)) as span:
            context = span.get_span_context()
            # An unsampled trace is not stored in the metadata of events.
            sampled = context.trace_flags.sampled
            yield meta.model_copy(update={"traceparent": _written(context)}) if sampled else meta

    def decided(self, service: str, task: TracedCommand, outcome: Facts) -> tuple[Span, str]:
        """Begin a span, which the caller ends with the commit. Returns it and the traceparent for the events."""
        command = task.command
        facts = {
            "kameng.service": service,
            "kameng.command": command.type(),
            "kameng.stream": task.stream if command.key in THING_KEYS else task.stream.partition("-")[0],
            "kameng.correlation_id": task.meta.correlation_id,
            **outcome,
        }
        facts |= {f"kameng.{name}": named for name in NAMED_IN_LOGS if (named := getattr(command, name, None))}
        return self._begun(f"{service} {type(command).__name__}", task.meta.traceparent, SpanKind.CONSUMER, facts)

    def parked(self, service: str, kind: str, error: str, traceparent: str) -> None:
        facts = {"kameng.service": service, "kameng.message": kind, "kameng.outcome": "parked"}
        span, _ = self._begun(f"{service} parks {kind}", traceparent, SpanKind.CONSUMER, facts)
        span.set_status(Status(StatusCode.ERROR, error))
        span.end()

    @contextmanager
    def calling(self, service: str, call: DueCall) -> Iterator[str]:
        facts = {
            "kameng.service": service,
            "kameng.effect": call.effect,
            "kameng.attempt": call.attempt,
            "kameng.correlation_id": call.meta.correlation_id,
        }
        span, traceparent = self._begun(f"{service} {call.effect}", call.meta.traceparent, SpanKind.CLIENT, facts)
        with _current(span):
            yield traceparent

    def failed(self, error: str) -> None:
        get_current_span().set_status(Status(StatusCode.ERROR, error))

    def current(self) -> str | None:
        """The traceparent of the current span."""
        context = get_current_span().get_span_context()
        return _written(context) if context.is_valid else None

    def _begun(self, name: str, traceparent: str | None, kind: SpanKind, facts: Facts) -> tuple[Span, str]:
        span = self._tracer.start_span(name, _context(traceparent), kind, facts)
        return span, _written(span.get_span_context())


_TRACE_CONTEXT = ("traceparent", "tracestate")


@contextmanager
def _current(span: Span) -> Iterator[Span]:
    """Make a span current, and end it. An error is recorded by its type only: its text may hold secrets."""
    with use_span(span, end_on_exit=True, record_exception=False, set_status_on_exception=False):
        try:
            yield span
        except Exception as error:
            span.set_status(Status(StatusCode.ERROR, type(error).__name__))
            raise


def _context(traceparent: str | None) -> Context:
    if traceparent is None:
        return Context()
    _, trace_id, span_id, flags = traceparent.split("-")
    parent = SpanContext(int(trace_id, 16), int(span_id, 16), is_remote=True, trace_flags=TraceFlags(int(flags, 16)))
    return set_span_in_context(NonRecordingSpan(parent), Context())


def _written(context: SpanContext) -> str:
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"


def _shown(context: SpanContext) -> dict[str, str]:
    return {"trace_id": f"{context.trace_id:032x}", "span_id": f"{context.span_id:016x}"}
