"""Changed states: as dataclasses.replace makes them."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import pytest

from shared.contracts import replace


@dataclass(frozen=True, slots=True)
class Slotted:
    name: str = ""
    count: int = 0


@dataclass(frozen=True)
class Plain:
    name: str = ""
    count: int = 0


@pytest.mark.parametrize("kind", [Slotted, Plain])
def test_a_changed_state_is_another_one_with_the_rest_kept(kind: type[Slotted | Plain]) -> None:
    before = kind("lamp", 3)

    after = replace(before, count=4)

    assert after == dataclasses.replace(before, count=4) == kind("lamp", 4)
    assert before == kind("lamp", 3)
    assert hash(after) == hash(kind("lamp", 4))


@pytest.mark.parametrize("kind", [Slotted, Plain])
def test_a_field_that_there_is_not_is_refused(kind: type[Slotted | Plain]) -> None:
    with pytest.raises((AttributeError, TypeError)):
        replace(kind(), colour="red")
