"""The nameko entrypoint that runs a WriterProcess, and makes external calls as nameko workers."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from nameko.containers import ServiceContainer
from nameko.extensions import Entrypoint

from shared.runtime.cluster.writer_process import WriterProcess
from shared.scheduler.scheduler import DueCall
from shared.writer.external_calls import CallResult
from shared.writer.inputs import CallFailed
from shared.writer.writer import Writer, describe


class Batches(Entrypoint):
    """Runs a WriterProcess as long as the container runs. The decorated method makes one external call, as a worker."""

    container: ServiceContainer

    def __init__(self, process: WriterProcess, **options: Any) -> None:
        super().__init__(**options)
        self._process = process

    def start(self) -> None:
        self._thread = self.container.spawn_managed_thread(self._run, identifier="batches")

    def _run(self) -> None:
        self._process.run(self._perform)

    def stop(self) -> None:
        """Stop the process; returns when the last batch is committed and the broker's connection is closed."""
        self._process.stop()
        self._thread.wait()

    def kill(self) -> None:
        self._process.stop()

    def _perform(self, writer: Writer, call: DueCall, done: Callable[[CallResult], None]) -> None:
        handle = partial(self._handle_result, call, done)
        self.container.spawn_worker(self, (writer, call), {}, handle_result=handle)

    @staticmethod
    def _handle_result(
        call: DueCall, done: Callable[[CallResult], None], _worker: object, result: CallResult, exc_info: Any
    ) -> tuple[CallResult, Any]:
        done(CallFailed(call, describe(exc_info[1])) if exc_info else result)
        return result, exc_info


batches = Batches.decorator
