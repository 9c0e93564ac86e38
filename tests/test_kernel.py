"""The kernel knows no service: none of their names, and nothing of what they say, stands in `shared/`.

`shared/contracts` and `shared/published` are what services say to one another and to the outside.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from services import NAMES
from shared.contracts.registry import commands, events

ROOT = Path(__file__).parents[1]
SAID = ("contracts", "published")
SOURCES = sorted(
    path for path in (ROOT / "shared").rglob("*.py") if path.relative_to(ROOT / "shared").parts[0] not in SAID
)
MESSAGES = {name for name, message in {**events(), **commands()}.items() if message.owner in NAMES}
ENGLISH = {"order", "risk"}  # words of prose as well: looked for where they are code
# Words of the kernel as well: looked for where they name a service, in an import or as a whole text.
KERNEL_WORDS = {"customer", "partner", "points", "support"}
ADVICE = (
    "shared/ names a service. Move what is the service's own into its folder; "
    "if the word is the kernel's own, add it to KERNEL_WORDS in tests/test_kernel.py."
)
SQL = {"order_by", "ORDER BY"}
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")


def names_of_services(source: str) -> Iterator[tuple[int, str]]:
    """The lines of a source at which a service, its contracts or one of its messages is named, and the name."""
    tree = ast.parse(source)
    prose = {id(text) for text in _docstrings(tree)}
    for node in ast.walk(tree):
        for name in _named(node, id(node) in prose):
            yield getattr(node, "lineno", 0), name


def _docstrings(tree: ast.AST) -> Iterator[ast.AST]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            yield node.value


def _named(node: ast.AST, is_prose: bool) -> set[str]:
    match node:
        case ast.Constant(value=str(text)):
            own = {text} & KERNEL_WORDS & set(NAMES)
            return own | _in_text(text) - (ENGLISH if is_prose else set())
        case ast.ImportFrom(module=module, names=names):
            return set().union(*(_in_module(name) for name in (module or "", *(one.name for one in names))))
        case ast.Import(names=names):
            return set().union(*(_in_module(one.name) for one in names))
        case ast.Name(id=name) | ast.Attribute(attr=name) | ast.arg(arg=name) | ast.keyword(arg=str(name)):
            return _in_name(name)
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            return _in_name(name)
        case _:
            return set()


def _in_module(name: str) -> set[str]:
    return _in_name(name) | {*name.split(".")} & KERNEL_WORDS & {*NAMES}


def _in_name(name: str) -> set[str]:
    """A service's name as a part of an identifier, such as `order_id` or `LedgerProjection`."""
    if name in SQL:
        return set()
    parts = {part.lower() for part in _WORD.findall(name)}
    return {service for service in NAMES if service in parts - KERNEL_WORDS} | ({name} & MESSAGES)


def _in_text(text: str) -> set[str]:
    for sql in SQL:
        text = text.replace(sql, "")
    return _in_name(text) | ({*re.findall(r"\w+", text)} & MESSAGES)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_kernel_names_no_service(path: Path) -> None:
    here = str(path.relative_to(ROOT))
    found = [f"{here}:{line}: {name}" for line, name in names_of_services(path.read_text(encoding="utf-8"))]

    assert not found, "\n".join([*found, ADVICE])


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("from shared.contracts.order import OrderPlaced", "order"),
        ("from shared.contracts import ledger", "ledger"),
        ('if service == "order": ...', "order"),
        ('PARTNERS = {"fulfillment": 1}', "fulfillment"),
        ("def look(order_id: str): ...", "order"),
        ("class LedgerTables: ...", "ledger"),
        ("run(gateway=1)", "gateway"),
        ('known = "PaymentRecorded"', "PaymentRecorded"),
        ('"""The gateway\'s own."""', "gateway"),
    ],
)
def test_a_name_is_seen(line: str, name: str) -> None:
    assert name in {found for _, found in names_of_services(line)}


@pytest.mark.parametrize(
    "line", ['"""In the order of the log, at some risk."""', "select(log).order_by(position)", 'text("x ORDER BY y")']
)
def test_what_is_no_name_of_a_service_is_let_be(line: str) -> None:
    assert list(names_of_services(line)) == []
