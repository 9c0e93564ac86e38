"""A command, its event and what the API shows of it are the same, however the platform runs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from services.gateway.access.auth import Principal
from shared.contracts.gateway import AddStaff, StaffAdded
from shared.runtime.settings import Settings
from tests.platform.cluster import ClusterPlatform
from tests.platform.embedded import EmbeddedPlatform
from tests.platform.market import ClusterMarket

ADMIN = Principal("staff", "boss", "administrator")


@pytest.fixture(params=["embedded", "cluster"])
def platform(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[EmbeddedPlatform | ClusterPlatform]:
    if request.param == "cluster":
        market: ClusterMarket = request.getfixturevalue("cluster")
        yield market.platform
        return
    with EmbeddedPlatform(Settings(var=tmp_path)) as embedded:
        yield embedded


def test_a_command_becomes_an_event_and_is_shown(platform: EmbeddedPlatform | ClusterPlatform) -> None:
    before = len(platform.events("gateway", StaffAdded))

    platform.send(AddStaff(username="boss", role="administrator"))

    *_, added = platform.wait_for("gateway", StaffAdded, before + 1)
    assert (added.username, added.role) == ("boss", "administrator")
    shown = platform.ask("GET", "/v1/staff", ADMIN).json()["items"]
    assert "boss" in {one["username"] for one in shown}
    assert not platform.parked()
