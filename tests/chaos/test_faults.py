from __future__ import annotations

from collections import Counter

from tests.chaos.faults import DECK, GAP_SECONDS, NETWORK, SERVERS, draw

PROCESSES = ("order-writer", "ledger-writer", "gateway-http")
DECK_SECONDS = GAP_SECONDS[1] * sum(DECK.values())


def test_a_seed_draws_the_same_faults_again() -> None:
    assert draw(7, 60, PROCESSES) == draw(7, 60, PROCESSES)
    assert draw(7, 60, PROCESSES) != draw(8, 60, PROCESSES)


def test_every_kind_every_server_and_every_process_has_its_turn() -> None:
    faults = draw(7, DECK_SECONDS, PROCESSES)

    assert {fault.kind for fault in faults} == {kind for kind, _ in DECK}
    for kind in ("kill", "freeze"):
        assert {fault.target for fault in faults if fault.kind == kind} >= {*SERVERS}
    hits = Counter(fault.target for fault in faults if fault.target in PROCESSES)
    assert hits.keys() == {*PROCESSES}


def test_faults_are_in_time_and_weather_is_on_wires() -> None:
    faults = draw(7, 60, PROCESSES)

    assert [fault.at for fault in faults] == sorted(fault.at for fault in faults)
    assert all(0 < fault.at < 60 for fault in faults)
    assert all((fault.weather is not None) == (fault.kind in NETWORK) == (">" in fault.target) for fault in faults)
