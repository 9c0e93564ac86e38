"""What is known of the services without importing them."""

from __future__ import annotations

from services.cli.known import NAMES, READERS, all_services


def test_who_reads_a_log_is_what_the_services_declare() -> None:
    declared = {name: tuple(one.name for one in all_services() if name in one.sources()) for name in NAMES}

    assert declared == READERS
