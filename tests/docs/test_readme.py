"""What the README and the quickstart show runs."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from demo.running import free_port, served
from tests.waiting import PATIENCE

ROOT = Path(__file__).parents[2]
MISSING = [name for name in ("bash", "curl", "jq", "openssl") if shutil.which(name) is None]
needs_a_shell = pytest.mark.skipif(bool(MISSING), reason=f"not installed: {MISSING}")


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", (ROOT / page).read_text(), re.DOTALL)


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], str]]:
    """Runs a script of a document against a shop, and gives what it printed."""
    var, port = tmp_path_factory.mktemp("shop"), free_port()
    with served(var, {}, port) as printed:
        (password,) = re.findall(r"admin +password [^:]*: (\S+)", printed)

        def run(script: str) -> str:
            script = script.replace("password=…", f"password={password}").replace(":8000/", f":{port}/")
            command = ["bash", "-euo", "pipefail", "-c", script]
            ran = subprocess.run(command, cwd=var, capture_output=True, text=True, timeout=PATIENCE, check=False)
            assert ran.returncode == 0, ran.stderr
            return ran.stdout

        yield run


@needs_a_shell
def test_the_readme_sells_and_opens_a_key(shell: Callable[[str], str]) -> None:
    (script,) = blocks("README.md", "bash")

    assert shell(script).splitlines()[-1].endswith("AAAA-BBBB-0001")


@needs_a_shell
def test_the_quickstart_sells_and_opens_a_key(shell: Callable[[str], str]) -> None:
    printed = shell("\n".join(blocks("docs/quickstart.md", "bash"))).splitlines()

    assert printed.index("QUICK-START-0001") == printed.index('"placed"') + 1
    assert printed[-1] == "DeliveriesOpened"


def test_the_rule_in_the_readme_is_the_one_that_runs() -> None:
    (rule,) = blocks("README.md", "python")

    assert rule in (ROOT / "services/inventory/domain/listing.py").read_text() + "\n"
