"""The metrics of every process: processor time, memory, start time."""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Iterator
from pathlib import Path

from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from shared.telemetry import metrics

_STATM, _PAGE = Path("/proc/self/statm"), os.sysconf("SC_PAGE_SIZE")
_STARTED = time.time()


class Process(Collector):
    """Collects them. `process` is the kind of process: writer, log-server, publisher, http."""

    def __init__(self, service: str, process: str) -> None:
        self._labels = service, process

    def collect(self) -> Iterator[Metric]:
        used = resource.getrusage(resource.RUSAGE_SELF)
        yield metrics.PROCESS_CPU.family({self._labels: used.ru_utime + used.ru_stime})
        yield metrics.PROCESS_MEMORY.family({self._labels: int(_STATM.read_text().split()[1]) * _PAGE})
        yield metrics.PROCESS_STARTED.family({self._labels: _STARTED})

    def describe(self) -> Iterator[Metric]:
        return iter(())
