"""The shop of these tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.gateway.builders import Shop, open_shop, orders_follow


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    shop = open_shop(tmp_path)
    orders_follow(shop)
    return shop
