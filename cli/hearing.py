"""What the writers of a cluster's folder say of the log servers that they hear."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx

SECONDS = 2.0
UNHEARD = "nothing is heard of {source}'s log server: what is lost on its way from there can't be had"


def unheard(var: Path, service: str) -> list[str]:
    """Sentences about each log server that the service's writer hears nothing of; none where no writer answers."""
    file = var / f"{service}.health"
    try:
        readiness: Any = httpx.get(f"{file.read_text()}/readyz", timeout=SECONDS).json()
    except (OSError, httpx.HTTPError, httpx.InvalidURL, ValueError):
        return []
    sources = readiness.get("unannounced", []) if isinstance(readiness, dict) else []
    return [UNHEARD.format(source=source) for source in sources]
