"""docker-compose.yml as Compose reads it, as far as this file goes: `.env`, merges and files that are extended."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from cli.clustering import processes
from services import NAMES

ROOT = Path(__file__).parents[2]
_VARIABLE = re.compile(r"\$\{(\w+)(?::([-?])([^}]*))?\}")


def wanted() -> set[str]:
    """The names of all processes that a whole platform has, optional ones too."""
    known = inspect.signature(processes).parameters
    optional: dict[str, Any] = {name: True for name in ("publish", "webhooks") if name in known}
    urls: dict[str, str] = dict.fromkeys(NAMES, "")
    return {one.name for one in processes(NAMES, urls, "", Path(), 0, **optional)}


class Unset(Exception):
    """A variable that must be set is not; holds what Compose would say."""


def variables(text: str) -> dict[str, str]:
    """What an environment file sets."""
    return dict(line.split("=", 1) for line in text.splitlines() if line and not line.startswith("#"))


def composed(env: Mapping[str, str], file: Path = ROOT / "docker-compose.yml") -> dict[str, Any]:
    """The file's services by name, with these variables. Raises Unset."""
    found = yaml.safe_load(file.read_text())["services"]
    services: dict[str, Any] = {}
    for name, service in found.items():
        if extended := service.pop("extends", None):
            there = yaml.safe_load((file.parent / extended["file"]).read_text())["services"][extended["service"]]
            service = {**there, **service}
        services[name] = _filled(service, env)
    return services


def _filled(value: Any, env: Mapping[str, str]) -> Any:
    match value:
        case dict():
            return {key: _filled(inner, env) for key, inner in value.items()}
        case list():
            return [_filled(inner, env) for inner in value]
        case str():
            return _VARIABLE.sub(lambda found: _one(found, env), value)
        case _:
            return value


def _one(found: re.Match[str], env: Mapping[str, str]) -> str:
    name, how, text = found.groups()
    if value := env.get(name):
        return value
    if how == "?":
        raise Unset(f"{name}: {text}")
    return text or ""
