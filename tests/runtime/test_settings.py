"""What can be set is checked when it is read."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from shared.contracts import Shop
from shared.runtime.settings import Settings
from shared.values.days import zone


def test_currencies_and_limits_are_read_as_people_write_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAMENG_CURRENCIES", "cny, KWD,JPY,KWD")
    monkeypatch.setenv("KAMENG_TIME_ZONE", "Europe/Lisbon")
    monkeypatch.setenv("KAMENG_REVIEW_ORDER_ABOVE", '{"CNY": "5000.00", "JPY": 100000}')
    monkeypatch.setenv("KAMENG_REVIEW_CUSTOMER_DAY_ABOVE__KWD", "1.500")

    settings = Settings()

    assert settings.shop() == Shop(("CNY", "KWD", "JPY"), zone("Europe/Lisbon"))
    assert settings.review_order_above == {"CNY": "5000.00", "JPY": "100000"}
    assert settings.review_customer_day_above == {"KWD": "1.500"}


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("CURRENCIES", ""),
        ("CURRENCIES", "CNY,XYZ"),
        ("CURRENCIES", "CNY,XAU"),
        ("TIME_ZONE", "Beijing"),
        ("REVIEW_ORDER_ABOVE", '{"XYZ": "1"}'),
        ("REVIEW_ORDER_ABOVE", '{"JPY": "1.50"}'),
        ("REVIEW_ORDER_ABOVE", '{"CNY": "-1"}'),
        ("REVIEW_CUSTOMER_DAY_ABOVE", '["CNY"]'),
    ],
)
def test_what_makes_no_sense_is_refused(name: str, told: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"KAMENG_{name}", told)
    with pytest.raises(ValidationError):
        Settings()


@pytest.mark.parametrize("name", ["", " north", "north\u200b", "ｎorth", "no rth", "north#2", "-north", "货源"])
def test_partners_have_names_as_orders_name_them(name: str) -> None:
    for kind in ("suppliers", "channels"):
        with pytest.raises(ValidationError, match="is no name"):
            Settings.model_validate({kind: {name: {"url": "http://127.0.0.1:9"}}})
        assert Settings.model_validate({kind: {"North-1.a": {"url": "http://127.0.0.1:9"}}})
