"""The answers of `/healthz`, `/readyz` and `/metrics` of a cluster process."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, ClassVar, Protocol

HEALTH_FILE = "KAMENG_HEALTH_FILE"
JSON = {"Content-Type": "application/json"}
METRICS = {"Content-Type": "text/plain; version=0.0.4; charset=utf-8"}
Answer = tuple[int, Mapping[str, str], str]


class Readiness(Protocol):
    """A dataclass about what a process needs, with `ready`: whether it can work."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def ready(self) -> bool: ...


def alive(moves: bool) -> Answer:
    """200, or 503 for a process that should be restarted."""
    return 200 if moves else 503, JSON, json.dumps({"alive": moves})


def ready(readiness: Readiness) -> Answer:
    """200, or 503 with the reason in the body."""
    body = {"ready": readiness.ready, **asdict(readiness)}
    return 200 if readiness.ready else 503, JSON, json.dumps(body)


def write_address(file: Path, host: str, port: int) -> None:
    """Write a process's address to a file, atomically: readers see the whole address or none."""
    draft = file.with_suffix(".draft")
    draft.write_text(f"http://{host}:{port}")
    draft.rename(file)
