"""What each test needs, found out from what it asks for: `-m unit` runs what needs nothing, `-m "not broker"` the rest.

Its kind is one of `unit`, `integration`, `acceptance`, `simulation`; besides, `postgres`, `broker` and `processes` say
what it wants from the machine.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from types import ModuleType

import pytest

KINDS = ("unit", "integration", "acceptance", "simulation")
_PLATFORM = {"tests.platform.served.Served", "tests.platform.market.open_market"}
_CLUSTER = {f"tests.acceptance.cluster.market.{name}" for name in ("stocked_cluster", "cluster_or_skip", "cluster")}
_HERE = Path(__file__).parent


def mark(item: pytest.Item) -> None:
    """Mark a test with what it needs, and with its kind unless its module names one."""
    asked = set[str](getattr(item, "fixturenames", ()))
    known = _known(getattr(item, "module", None))
    parameters = getattr(getattr(item, "callspec", None), "params", {})
    room = item.path.relative_to(_HERE).parts[0]
    needs = set[str]()
    if asked & {"postgres", "postgres_url"} or "postgresql" in parameters.values():
        needs.add("postgres")
    if asked & {"servers", "cluster"} or known & _CLUSTER:
        needs |= {"postgres", "broker"}
    if "replica" in asked or known & {"subprocess", *_PLATFORM, *_CLUSTER} or room == "acceptance":
        needs.add("processes")
    for need in needs:
        item.add_marker(need)
    if not any(item.get_closest_marker(kind) for kind in KINDS):
        item.add_marker(_kind(room, asked, known, needs))


@cache
def _known(module: ModuleType | None) -> set[str]:
    """What a module imports, by the full names of functions, and the short ones of modules."""
    found = vars(module).items() if module else ()
    return {f"{it.__module__}.{name}" if hasattr(it, "__module__") else name for name, it in found}


def _kind(room: str, asked: set[str], known: set[str], needs: set[str]) -> str:
    if room == "acceptance" or known & {*_PLATFORM, *_CLUSTER} or "cluster" in asked:
        return "acceptance"
    if room == "simulation":
        return "simulation"
    return "integration" if needs or asked & {"tmp_path", "tmp_path_factory"} else "unit"
