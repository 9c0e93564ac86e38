"""Makes a nameko service of a Service declaration, and runs it until SIGTERM or SIGINT."""

from __future__ import annotations

import signal
import sys
from collections.abc import Sequence
from types import FrameType

import eventlet
import structlog
from nameko.constants import MAX_WORKERS_CONFIG_KEY, WEB_SERVER_CONFIG_KEY
from nameko.containers import ServiceContainer
from werkzeug.wrappers import Request

from shared.runtime.clock import Clock
from shared.runtime.cluster import health
from shared.runtime.cluster.entrypoint import batches
from shared.runtime.cluster.green import assert_green
from shared.runtime.cluster.settings import ClusterSettings
from shared.runtime.cluster.writer_process import WriterProcess
from shared.runtime.consumer_loop import make_call
from shared.runtime.ids import Ids
from shared.runtime.service import HostContext, Service
from shared.runtime.settings import read_settings
from shared.scheduler.scheduler import DueCall
from shared.security.secrets import Secrets
from shared.telemetry.logs import configure_logs
from shared.telemetry.tracing import start_tracing
from shared.writer.external_calls import MAX_CONCURRENT_CALLS, CallResult
from shared.writer.writer import Writer

SIGNALS = (signal.SIGTERM, signal.SIGINT)
# Calls of this lead and of one that was just lost, and some workers for probes.
WORKERS = 2 * MAX_CONCURRENT_CALLS + 8
logger = structlog.get_logger()


def service_class(process: WriterProcess) -> type:
    """The nameko service of one writer."""

    class WriterService:
        name = f"kameng-{process.service.name}"

        @batches(process)
        def call(self, writer: Writer, call: DueCall) -> CallResult:
            return process.metrics.calls.measured(call, lambda: make_call(writer, call))

        @health.http("GET", "/healthz")
        def healthz(self, _request: Request) -> health.Answer:
            return health.alive(process.is_alive())

        @health.http("GET", "/readyz")
        def readyz(self, _request: Request) -> health.Answer:
            return health.ready(process.readiness())

        @health.http("GET", "/metrics")
        def metrics(self, _request: Request) -> health.Answer:
            return 200, health.METRICS, process.metrics.render()

    return WriterService


def container_for(process: WriterProcess) -> ServiceContainer:
    """A nameko container of one writer, not yet started."""
    settings = process.settings
    config = {
        MAX_WORKERS_CONFIG_KEY: WORKERS,
        WEB_SERVER_CONFIG_KEY: f"{settings.health_host}:{settings.health_port}",
        health.HEALTH_FILE: settings.health_file,
    }
    return ServiceContainer(service_class(process), config)


def run(service: Service, readers: Sequence[str] = ()) -> None:
    """Run the service's writer in this monkey-patched process until SIGTERM or SIGINT. Exits with 1 on an unexpected
    error. `readers` names the services that read its log."""
    assert_green()
    configure_logs(service=service.name)
    start_tracing(service.name)
    settings = read_settings([service.settings] if service.settings else [])
    context = HostContext(settings, Clock(), Ids(), Secrets(settings.var / "secrets"))
    process = WriterProcess(service, ClusterSettings(), context, readers)  # pyright: ignore[reportCallIssue]
    container = container_for(process)

    def stop(_signal: int, _frame: FrameType | None) -> None:
        # A handler may run inside eventlet's hub, which must not wait, not even to write to a pipe.
        for number in SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        eventlet.spawn_n(container.stop)

    for number in SIGNALS:
        signal.signal(number, stop)
    container.start()
    try:
        container.wait()
    except Exception:
        logger.critical("the writer broke", service=service.name, exc_info=True)
        sys.exit(1)
    logger.info("stopped", service=service.name)
