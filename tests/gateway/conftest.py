"""What tests of the API begin with."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from argon2 import PasswordHasher

from tests.gateway.builders import Shop, open_shop

QUICK = (1, 8, 1)


@pytest.fixture(autouse=True, scope="package")
def quick_hashing() -> Iterator[None]:
    """Passwords are hashed at the least cost in time, memory and threads: the usual one is a tenth of a second each."""
    usual = PasswordHasher.__init__.__defaults__
    assert usual
    PasswordHasher.__init__.__defaults__ = (*QUICK, *usual[len(QUICK) :])
    yield
    PasswordHasher.__init__.__defaults__ = usual


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return open_shop(tmp_path)
