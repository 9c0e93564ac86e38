"""A process that is not green is refused."""

from __future__ import annotations

import pytest

from shared.runtime.cluster.green import assert_green, make_green


def test_a_process_that_imported_a_driver_can_no_longer_become_green() -> None:
    with pytest.raises(RuntimeError, match="psycopg"):
        make_green()


def test_this_process_is_not_green() -> None:
    with pytest.raises(RuntimeError, match="monkey-patched"):
        assert_green()
