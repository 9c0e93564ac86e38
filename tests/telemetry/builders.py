"""What makes spans and keeps them, and one who receives them over HTTP."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Lock, Thread
from typing import Any, Self

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span as SentSpan
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, ParentBased, Sampler

from shared.telemetry.spans import Spans
from shared.telemetry.tracing import trace_with

TRACE, CALLER = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
TRACEPARENT = f"00-{TRACE}-{CALLER}-01"


class Kept:
    """The spans that ended."""

    def __init__(self, exporter: InMemorySpanExporter) -> None:
        self._exporter = exporter

    def __iter__(self) -> Iterator[ReadableSpan]:
        return iter(self._exporter.get_finished_spans())

    def named(self, name: str) -> ReadableSpan:
        """The one span of this name."""
        (found,) = [span for span in self if span.name == name]
        return found

    def names(self) -> list[str]:
        return [span.name for span in self]


@contextmanager
def kept(sampler: Sampler = ParentBased(ALWAYS_ON)) -> Iterator[Kept]:
    """Traces are on, and their spans kept here."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider(sampler=sampler, shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    trace_with(Spans(provider))
    try:
        yield Kept(exporter)
    finally:
        trace_with(None)


def facts(span: ReadableSpan) -> Mapping[str, Any]:
    return span.attributes or {}


def ids(span: ReadableSpan) -> tuple[str, str, str | None]:
    """Its trace, itself and its parent, in hex."""
    context = span.get_span_context()
    assert context is not None
    parent = f"{span.parent.span_id:016x}" if span.parent else None
    return f"{context.trace_id:032x}", f"{context.span_id:016x}", parent


class Receiver:
    """Takes spans as a collector does, at `address`; a silent one takes requests and answers none until it `speaks`."""

    def __init__(self, *, silent: bool = False) -> None:
        self.speaks, self.asked = Event(), Event()
        if not silent:
            self.speaks.set()
        self._spans: list[tuple[dict[str, str], SentSpan]] = []
        self._lock = Lock()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.asked.set()
                receiver.speaks.wait()
                receiver._take(self.path, gzip.decompress(body) if self.headers["Content-Encoding"] else body)
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.address = f"http://127.0.0.1:{self._server.server_port}"

    def _take(self, path: str, body: bytes) -> None:
        assert path == "/v1/traces"
        for one in ExportTraceServiceRequest.FromString(body).resource_spans:
            resource = {item.key: item.value.string_value for item in one.resource.attributes}
            with self._lock:
                self._spans += [(resource, span) for scope in one.scope_spans for span in scope.spans]

    def spans(self) -> dict[str, tuple[dict[str, str], SentSpan]]:
        """By name, each with its resource."""
        with self._lock:
            return {span.name: (resource, span) for resource, span in self._spans}

    def __enter__(self) -> Self:
        Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.speaks.set()
        self._server.shutdown()
        self._server.server_close()


def lines_of(text: str) -> list[dict[str, Any]]:
    """Log lines, each of which must be a JSON object."""
    found = [json.loads(line) for line in text.splitlines()]
    assert all(isinstance(line, dict) for line in found)
    return found
