"""The documents name everything that can be set, installed or called, and nothing that can't."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from pydantic import BaseModel

from deploy.local.infrastructure import POSTGRES_VARIABLE
from services import all_services
from services.gateway.access.auth import PERMISSIONS, ROLES
from shared.runtime.cluster.settings import ClusterSettings
from shared.runtime.settings import ChannelSettings, Settings, SupplierSettings
from shared.telemetry.logs import LOG_LEVEL
from tests.gateway.builders import open_shop

ROOT = Path(__file__).parents[2]
METHODS = {"get", "post", "put", "patch", "delete"}
PAGES = sorted(
    path.relative_to(ROOT).as_posix()
    for path in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("**/*.md"))
    if path != ROOT / "docs/events/README.md"
)
PLACES = "cli|clients|demo|deploy|docs|k8s|laws|observability|sandboxes|services|shared|tests"
NAMED = re.compile(rf"`((?:{PLACES})/[\w./-]*)`((?:,? `[A-Za-z_][\w.]*`)*)")
EXAMPLE = "points"  # the service that a page adds


def page(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def first_cells(text: str) -> list[str]:
    return re.findall(r"^\| ([^|]+?) \|", text, re.MULTILINE)


def names_in(text: str, pattern: str) -> set[str]:
    return {name for cell in first_cells(text) for name in re.findall(pattern, cell)}


def test_every_setting_is_documented() -> None:
    own = [service.settings for service in all_services() if service.settings]
    names = [name for kind in (Settings, ClusterSettings, *own) for name in kind.model_fields]
    variables = {f"KAMENG_{name.upper()}" for name in names} | {POSTGRES_VARIABLE, LOG_LEVEL}

    assert names_in(page("docs/reference/settings.md"), r"`(KAMENG_\w+)`") == variables


@pytest.mark.parametrize(("variable", "settings"), [("SUPPLIERS", SupplierSettings), ("CHANNELS", ChannelSettings)])
def test_every_nested_setting_is_documented(variable: str, settings: type[BaseModel]) -> None:
    row = re.search(rf"^\| `KAMENG_{variable}` .*$", page("docs/reference/settings.md"), re.MULTILINE)

    assert row is not None
    assert {name for name in settings.model_fields if f"`{name}`" not in row.group()} == set()


def test_every_dependency_is_documented() -> None:
    project = tomllib.loads(page("pyproject.toml"))
    groups = project["dependency-groups"].values()
    needed = {*project["project"]["dependencies"], *(package for group in groups for package in group)}

    assert set(first_cells(page("docs/reference/dependencies.md"))) - {"Package", "---"} == needed


def test_every_route_is_documented(tmp_path: Path) -> None:
    paths = open_shop(tmp_path).client.app.openapi()["paths"]
    routes = {f"{method.upper()} {path}" for path, methods in paths.items() for method in METHODS & methods.keys()}

    assert names_in(page("docs/reference/api.md"), r"`([A-Z]+ /[^`]*)`") == routes


def test_every_permission_is_documented_with_its_roles() -> None:
    rows = re.findall(r"^\| (`[a-z.` ]+`) \|(.*)\|$", page("docs/reference/permissions.md"), re.MULTILINE)
    documented = {
        name: {role for role, mark in zip(ROLES, marks.split("|"), strict=True) if mark.strip()}
        for names, marks in rows
        if "✓" in marks
        for name in re.findall(r"`([a-z.]+)`", names)
    }

    assert documented == {str(permission): set(roles) for permission, roles in PERMISSIONS.items()}


# Code: the first text of a refusal.
RAISED = (
    r"(?:Refused\(|Problem\(\s*\d+,|Unknown\(\d+,|unauthorized\(|BadFile\(|_refuse\(\d+,|code = |code=)\s*"
    r'"([a-z]+(?:-[a-z]+)*)"'
)


@pytest.mark.parametrize(
    "pattern",
    ["services/order/domain/*.py", "services/inventory/domain/listing.py", "services/gateway/orders/routes.py"],
)
def test_every_refusal_of_a_sale_is_documented(pattern: str) -> None:
    listed = page("docs/concepts/a-sale.md")
    for file in ROOT.glob(pattern):
        for code in re.findall(r'(?:Refused\(|Problem\(\s*\d+,)\s*"([a-z-]+)"', file.read_text(encoding="utf-8")):
            assert f"`{code}`" in listed, f"{file.relative_to(ROOT)} refuses with {code}"


def test_every_code_of_a_refusal_is_documented() -> None:
    sources = [
        file.read_text(encoding="utf-8")
        for room in ("services", "shared", "cli")
        for file in (ROOT / room).rglob("*.py")
    ]
    raised = {code for source in sources for code in re.findall(RAISED, source)}
    rows = re.findall(r"^\| ((?:`[a-z-]+` ?)+) \| [0-9, ]+ \|", page("docs/reference/refusals.md"), re.MULTILINE)
    documented = {code for row in rows for code in re.findall(r"`([a-z-]+)`", row)}

    assert len(raised) > 100
    assert raised - documented == set(), "docs/reference/refusals.md lacks a row"
    derived = {"method-not-allowed"}  # the phrase of an HTTP status
    assert {code for code in documented - derived if not any(f'"{code}"' in source for source in sources)} == set()


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs"])
def test_every_link_leads_somewhere(name: str) -> None:
    for document in sorted((ROOT / name).glob("**/*.md")) if (ROOT / name).is_dir() else [ROOT / name]:
        for target in re.findall(r"\]\((?!https?:)([^)]+)\)", document.read_text(encoding="utf-8")):
            path, _, anchor = target.partition("#")
            linked = document.parent / path
            assert linked.exists(), f"{document.name} leads to {target}"
            assert not anchor or anchor in anchors(linked), f"{document.name} leads to {target}"


def anchors(document: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", document.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def named_in(name: str) -> list[tuple[str, str]]:
    """Each file that a page names, with the names in backquotes that follow it."""
    return NAMED.findall(re.sub(r"\n\s*", " ", page(name)))


@pytest.mark.parametrize("name", PAGES)
def test_every_file_and_function_that_a_page_names_is_there(name: str) -> None:
    for path, names in named_in(name):
        if EXAMPLE in path:
            continue
        assert (ROOT / path).exists(), f"{name} names {path}"
        for one in re.findall(r"`([\w.]+)`", names) if path.endswith(".py") else ():
            assert one in definitions(ROOT / path), f"{name} names {one} in {path}"


def test_the_pages_for_newcomers_name_files_and_functions() -> None:
    named = [one for name in ("README.md", "docs/README.md", "docs/concepts/a-sale.md") for one in named_in(name)]

    assert sum(bool(names) for _, names in named) > 30


@cache
def definitions(path: Path) -> frozenset[str]:
    """What a module defines: functions, classes and their members as `Class.member`, variables."""
    return frozenset(_defined(ast.parse(path.read_text(encoding="utf-8")).body, ""))


def _defined(body: list[ast.stmt], prefix: str) -> Iterator[str]:
    for one in body:
        match one:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                yield prefix + name
            case ast.ClassDef(name=name):
                yield prefix + name
                yield from _defined(one.body, f"{prefix}{name}.")
            case ast.Assign(targets=targets):
                yield from (
                    prefix + named.id for target in targets for named in ast.walk(target) if isinstance(named, ast.Name)
                )
            case ast.AnnAssign(target=ast.Name(id=name)):
                yield prefix + name
            case _:
                pass
