"""The services of the platform. A new one is a folder here, its contracts, and its name in NAMES; then `make generate`.

A folder says of its service what the deployment must know, where there is something to say: `SECRETS` are the names of
the secrets that its writer reads, `OUTSIDE_PORTS` the ports at which its writer calls partners on the internet.

Declarations are imported on demand, because most commands need only the names.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from shared.runtime.service import Service
    from shared.runtime.settings import Settings

NAMES = ("order", "inventory", "fulfillment", "ledger", "risk", "notification", "gateway")


def declaration_of(name: str) -> str:
    """The declaration of a service, as module:name."""
    return f"services.{name}.service:SERVICE"


def migrations_of(name: str) -> Path:
    """The folder with the revisions of a service's tables."""
    return Path(__file__).with_name(name) / "migrations"


def read_settings(**overrides: Any) -> Settings:
    """The settings, with those of every service. Raises ValidationError when any of them is wrong."""
    from shared.runtime import settings

    own = (import_module(f"services.{name}.settings") for name in NAMES if find_spec(f"services.{name}.settings"))
    kinds = [kind for module in own for kind in vars(module).values() if settings.is_own(kind)]
    return settings.read_settings(kinds, **overrides)


@cache
def readers_of(name: str) -> tuple[str, ...]:
    """The services that read a service's log."""
    from services.reads import READS  # generated: the generator must do without

    if missing := [reader for reader in NAMES if reader not in READS]:
        raise LookupError(f"services/reads.py lacks {', '.join(missing)}: run `make generate`")
    return tuple(reader for reader in NAMES if name in READS[reader])


@cache
def all_services() -> tuple[Service, ...]:
    """The declarations of all services."""
    declarations = []
    for name in NAMES:
        module, _, attribute = declaration_of(name).partition(":")
        if find_spec(f"services.{name}") is None or find_spec(module) is None:
            raise LookupError(f"{name} is in NAMES, and services/{name}/service.py is missing")
        declarations.append(getattr(import_module(module), attribute))
    return tuple(declarations)
