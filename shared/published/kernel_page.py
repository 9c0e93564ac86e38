"""Generates docs/reference/kernel.md: the modules of shared/ by room, each with the first sentence of its docstring."""

from __future__ import annotations

import ast
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path

from shared.published.fields import Unsaid

SHARED = Path(__file__).parents[1]
PAGE = SHARED.parent / "docs" / "reference" / "kernel.md"
ROOMS = (
    "contracts", "values", "messages", "eventstore", "projections", "writer", "scheduler", "subscriptions", "readside",
    "runtime", "runtime/cluster", "runtime/simulated", "broker", "security", "telemetry", "laws", "published",
)  # fmt: skip
HEAD = """\
# The kernel

`shared/` is the event-sourced kernel that every service runs on. This page names every file and what it is for, room by
room. `make contracts` generates it from the modules' docstrings; `make check` fails when it differs from them. How the
parts work together: [architecture](../concepts/architecture.md).
"""
_SENTENCE = re.compile(r".+?[.!?](?=\s|$)")


def kernel_page() -> str:
    """The page. Raises Unsaid for a module without a docstring, and for a folder that is not in ROOMS."""
    found = {
        path.parent.relative_to(SHARED).as_posix() for path in SHARED.rglob("*.py") if "migrations" not in path.parts
    }
    if strange := found - {".", *ROOMS}:
        raise Unsaid(f"{__name__}.ROOMS lacks {', '.join(sorted(strange))}")
    return "\n".join([HEAD, *(line for room in ROOMS for line in _room(room))])


def _room(room: str) -> Iterator[str]:
    first, *modules = sorted((SHARED / room).glob("*.py"), key=lambda path: (path.name != "__init__.py", path.name))
    yield f"## {room}\n"
    yield textwrap.fill(_sentence(first), 120) + "\n"
    yield "| File | What it is for |"
    yield "| --- | --- |"
    for path in modules:
        yield f"| [{path.name}](../../shared/{room}/{path.name}) | {_sentence(path).replace('|', chr(92) + '|')} |"
    yield ""


def _sentence(path: Path) -> str:
    said = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    if not said:
        raise Unsaid(f"{path.relative_to(SHARED.parent)} needs a docstring")
    paragraph = " ".join(said.partition("\n\n")[0].split())
    sentence = _SENTENCE.match(paragraph)
    return sentence.group() if sentence else paragraph
