"""What is known of the services without importing their declarations."""

from __future__ import annotations

from importlib import import_module

import pytest

from services import NAMES, all_services, readers_of


@pytest.mark.parametrize("service", all_services(), ids=lambda service: service.name)
def test_a_service_names_the_services_whose_logs_it_reads(service) -> None:
    declared = service.sources()
    assert declared == import_module(f"services.{service.name}").READS, (
        f"services/{service.name}/__init__.py must have READS = {declared}"
    )


def test_the_readers_of_a_log_are_the_services_that_read_it() -> None:
    for name in NAMES:
        assert readers_of(name) == tuple(one.name for one in all_services() if name in one.sources())
