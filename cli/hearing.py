"""Asks the writers of a cluster which log servers they hear nothing from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx

SECONDS = 2.0
UNHEARD = "nothing is heard from {source}'s log server: lost batches of that log can't be pulled"


def unheard(var: Path, service: str) -> list[str]:
    """A sentence for each log server that the service's writer hears nothing from; none if no writer answers."""
    file = var / f"{service}.health"
    try:
        readiness: Any = httpx.get(f"{file.read_text()}/readyz", timeout=SECONDS).json()
    except (OSError, httpx.HTTPError, httpx.InvalidURL, ValueError):
        return []
    sources = readiness.get("unannounced", []) if isinstance(readiness, dict) else []
    return [UNHEARD.format(source=source) for source in sources]
