"""A whole toy cluster under every fault there is."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter

import pytest

from shared.runtime.simulated.faults import MOST, NONE, Faults
from shared.runtime.simulated.luck import Luck
from tests.runtime.simulated.builders import Toys

WORST = Faults(**MOST)


def test_without_faults_every_press_lights_its_lamp_once() -> None:
    toys = Toys("calm", NONE)

    toys.run()

    assert Counter(recorded.name for recorded in toys.committed)["ToyLit"] == 20
    assert not toys.host.fate.occurred
    assert not toys.host.restarts


@pytest.mark.parametrize("seed", range(20))
def test_with_faults_every_press_lights_its_lamp_once(seed: int) -> None:
    toys = Toys(str(seed), Faults.drawn(Luck(str(seed))))

    toys.run()

    names = Counter(recorded.name for recorded in toys.committed)
    assert (names["ToyPressed"], names["ToyLit"]) == (20, 20)
    assert {reply.outcome for reply in toys.answers.values() if reply} == {"accepted"}


def test_every_fault_occurs() -> None:
    occurred: Counter[str] = Counter()
    for seed in range(10):
        toys = Toys(f"worst {seed}", WORST, presses=40)
        toys.run()
        occurred += toys.host.fate.occurred

    assert set(occurred) == set(MOST)


def test_events_are_reported_as_the_logs_hold_them_and_in_their_order() -> None:
    toys = Toys("committed", WORST)

    toys.run()

    for service in ("button", "lamp"):
        positions = [recorded.position for recorded in toys.committed if recorded.source == service]
        assert positions == list(range(1, len(positions) + 1))


def test_a_seed_repeats_itself_in_another_process_whatever_the_hashes() -> None:
    code = (
        "from tests.runtime.simulated.test_host import *; toys = Toys('again', WORST); toys.run(); print(toys.digest)"
    )
    said = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.splitlines()[-1]
        for hash_seed in ("1", "2")
    }

    assert len(said) == 1
