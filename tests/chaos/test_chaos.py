"""Half a minute in which everything fails that can; no law may notice."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import pytest
from rich.console import Console

from deploy.local.infrastructure import InfrastructureError
from tests.chaos.faults import SERVERS
from tests.chaos.report import show
from tests.chaos.running import run

pytestmark = [pytest.mark.acceptance, pytest.mark.postgres, pytest.mark.broker, pytest.mark.processes]
SECONDS, SEED = 30, 332  # it kills the database early, then the broker


def test_no_law_is_broken_by_faults() -> None:
    var = Path(tempfile.mkdtemp(prefix="kameng-chaos-"))
    var.chmod(0o755)  # the users that servers run as must get in
    print(f"everything is kept in {var}")
    try:
        ran = run(var, SECONDS, SEED, lambda what, done: None)
    except InfrastructureError as error:
        pytest.skip(f"no servers: {error}")

    show(ran, Console(width=120))
    assert not ran.verdict.broken
    assert {struck.fault.target for struck in ran.struck if struck.fault.kind == "kill"} >= {*SERVERS}
    assert ran.orders["completed"]
    shutil.rmtree(var)
