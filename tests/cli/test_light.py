"""Starting costs what the command needs, and the list of commands nothing."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from typer.main import get_command

from cli.__main__ import COMMANDS, SERVICES, app
from cli.lazily import Entry
from services import NAMES

HEAVY = ("alembic", "argon2", "fastapi", "httpx", "nameko", "eventlet", "openpyxl", "uvicorn")
SEEN = "import json, sys; print(json.dumps(sorted(sys.modules)))"
HELP = "from typer.testing import CliRunner; from cli.__main__ import app; CliRunner().invoke(app, ['--help'])"


def imported(code: str) -> set[str]:
    """The modules that a fresh process has after running this."""
    ran = subprocess.run([sys.executable, "-c", f"{code}\n{SEEN}"], capture_output=True, text=True, check=True)
    return set(json.loads(ran.stdout.splitlines()[-1]))


def services_in(modules: set[str]) -> set[str]:
    return {name for name in NAMES if f"services.{name}" in modules}


def test_the_list_of_commands_imports_none_of_them() -> None:
    modules = imported(HELP)

    assert modules.isdisjoint({*HEAVY, "sqlalchemy", "pydantic", "pika", "structlog"})
    assert services_in(modules) == set()


@pytest.mark.parametrize("command", ["log-server", "publisher"])
def test_what_serves_a_log_imports_neither_services_nor_frameworks(command: str) -> None:
    (entry,) = [entry for entry in COMMANDS if entry.name == command]

    modules = imported(f"import cli.__main__, {entry.where.partition(':')[0]}")

    assert modules.isdisjoint(HEAVY)
    assert services_in(modules) == set()


def test_a_service_that_calls_nobody_imports_no_client() -> None:
    assert "httpx" not in imported("import shared.runtime.cluster.running, services.order.service")


@pytest.mark.parametrize("process", ["shared.runtime.cluster.running, services.order.service", "cli.gateway"])
def test_what_serves_does_not_import_what_migrates(process: str) -> None:
    assert "alembic" not in imported(f"import {process}")


def test_ending_and_watching_a_cluster_needs_no_service() -> None:
    modules = imported("import cli.__main__, cli.cluster")

    assert modules.isdisjoint({"fastapi", "nameko", "openpyxl", "uvicorn"})
    assert services_in(modules) == set()


@pytest.mark.parametrize("entry", COMMANDS, ids=lambda entry: entry.name)
def test_each_command_is_there_and_its_line_is_the_first_of_its_help(entry: Entry) -> None:
    said = entry.load().help or ""

    assert " ".join(said.split("\n\n")[0].split()) == entry.line


def test_the_table_is_what_the_command_line_has() -> None:
    group = get_command(app)

    assert [*getattr(group, "commands", {})] == [entry.name for entry in COMMANDS]


def test_every_service_is_known_by_its_own_name() -> None:
    assert tuple(service.name for service in SERVICES) == NAMES
