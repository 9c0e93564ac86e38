"""Every service declares what its contracts promise."""

from __future__ import annotations

import pytest

from services import all_services
from shared.contracts.registry import commands
from shared.runtime.service import Service


@pytest.mark.parametrize("service", all_services(), ids=lambda service: service.name)
def test_every_command_is_decided_by_an_aggregate_of_its_owner(service: Service) -> None:
    decided = {command for aggregate in service.aggregates for command in aggregate.commands}
    undecided = [one.__name__ for one in commands().values() if one.owner == service.name and one not in decided]

    assert not undecided, f"services/{service.name}/service.py names these in the `commands` of no Aggregate"


@pytest.mark.parametrize("service", all_services(), ids=lambda service: service.name)
def test_the_declared_folder_of_migrations_holds_a_first_revision(service: Service) -> None:
    folder = service.migrations
    assert folder is None or any(folder.glob("0001_*.py")), f"{folder} is declared, and holds no 0001_first.py"
