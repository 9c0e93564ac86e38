"""What the README, and the page that tells a sale, show is true."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from demo.running import free_port, served
from tests.waiting import PATIENCE

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


def block(language: str, number: int = 0) -> str:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)[number]


MISSING = [name for name in ("bash", "curl", "jq", "openssl") if shutil.which(name) is None]


@pytest.mark.skipif(bool(MISSING), reason=f"not installed: {MISSING}")
def test_its_lines_of_curl_sell_and_open_a_key(tmp_path: Path) -> None:
    port = free_port()
    with served(tmp_path, {}, port) as printed:
        (password,) = re.findall(r"admin +password [^:]*: (\S+)", printed)
        script = block("sh").replace("password=…", f"password={password}").replace(":8000/", f":{port}/")
        ran = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script], capture_output=True, text=True, timeout=PATIENCE, check=False
        )

    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.splitlines()[-1].endswith("AAAA-BBBB-0001")


def test_its_rule_is_the_one_that_runs() -> None:
    source = (ROOT / "services/inventory/domain/listing.py").read_text()

    assert block("python") in source + "\n"


def test_a_sale_is_told_by_files_and_functions_that_there_are() -> None:
    told = (ROOT / "docs/concepts/a-sale.md").read_text()
    pairs = re.findall(r"`((?:services|shared)/[\w/]+\.py)`(?: `([\w.]+)`)?", told)

    assert len(pairs) > 20
    for path, name in pairs:
        assert name.rpartition(".")[2] in (ROOT / path).read_text(), f"{path} has no {name}"
