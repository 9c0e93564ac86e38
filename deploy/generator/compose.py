"""What docker-compose.yml and Prometheus's targets say of each service."""

from __future__ import annotations

from collections.abc import Iterator

from services import NAMES, all_services
from shared.runtime.settings import Settings

# The image sets them.
PLACE = {"var", "host", "port"}
PROCESSES = {"writer": "run", "log-server": "log-server", "publisher": "publisher"}
"""The command of each of a service's processes. Those that only the gateway has are written by hand."""


def settings() -> Iterator[str]:
    """The variables of the environment: those of all, then each service's own."""
    kinds = (Settings, *(one.settings for one in all_services() if one.settings))
    for field in dict.fromkeys(field for kind in kinds for field in kind.model_fields):
        if field not in PLACE:
            yield f"KAMENG_{field.upper()}:"


def processes() -> Iterator[str]:
    """Each service's writer, log server and publisher."""
    for name in NAMES:
        for kind, command in PROCESSES.items():
            base = "*writer" if kind == "writer" else "*process"
            yield f"{name}-{kind}: {{<<: {base}, command: [{command}, {name}]}}"


def targets() -> list[str]:
    """Where Prometheus finds each process."""
    own = [f"{name}-{kind}:8001" for name in NAMES for kind in PROCESSES]
    return ["gateway-http:8000", *own, "gateway-webhooks:8001"]
