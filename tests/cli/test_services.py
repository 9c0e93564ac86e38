"""What is known of the services without importing their declarations."""

from __future__ import annotations

from services import NAMES, all_services, readers_of


def test_the_readers_of_a_log_are_the_services_that_read_it() -> None:
    for name in NAMES:
        assert readers_of(name) == tuple(one.name for one in all_services() if name in one.sources())
