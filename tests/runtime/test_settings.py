"""What can be set is checked when it is read."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from services import NAMES, all_services, read_settings
from services.order.settings import OrderSettings
from services.risk.settings import RiskSettings
from shared.contracts import Shop
from shared.runtime.settings import Settings
from shared.values.days import zone


def test_currencies_and_limits_are_read_as_people_write_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAMENG_CURRENCIES", "cny, KWD,JPY,KWD")
    monkeypatch.setenv("KAMENG_TIME_ZONE", "Europe/Lisbon")
    monkeypatch.setenv("KAMENG_REVIEW_ORDER_ABOVE", '{"CNY": "5000.00", "JPY": 100000}')
    monkeypatch.setenv("KAMENG_REVIEW_CUSTOMER_DAY_ABOVE__KWD", "1.500")

    settings = read_settings()

    assert settings.shop() == Shop(("CNY", "KWD", "JPY"), zone("Europe/Lisbon"))
    assert settings.of(RiskSettings).review_order_above == {"CNY": "5000.00", "JPY": "100000"}
    assert settings.of(RiskSettings).review_customer_day_above == {"KWD": "1.500"}


@pytest.mark.parametrize(
    ("name", "value"),
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
def test_what_makes_no_sense_is_refused(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"KAMENG_{name}", value)
    with pytest.raises(ValidationError, match=name.lower()):
        read_settings()


@pytest.mark.parametrize("name", ["", " north", "north\u200b", "ｎorth", "no rth", "north#2", "-north", "货源"])
def test_partners_have_names_as_orders_name_them(name: str) -> None:
    for kind in ("suppliers", "channels"):
        with pytest.raises(ValidationError, match="is no name"):
            Settings.model_validate({kind: {name: {"url": "http://127.0.0.1:9"}}})
        assert Settings.model_validate({kind: {"North-1.a": {"url": "http://127.0.0.1:9"}}})


def test_all_that_is_wrong_is_reported_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAMENG_TIME_ZONE", "Beijing")
    monkeypatch.setenv("KAMENG_COMMISSION_BASIS_POINTS", "10001")
    monkeypatch.setenv("KAMENG_REVIEW_ORDER_ABOVE", '{"CNY": "-1"}')

    with pytest.raises(ValidationError, match="3 validation errors for Settings") as refused:
        read_settings()

    assert [error["loc"] for error in refused.value.errors()] == [
        ("time_zone",),
        ("commission_basis_points",),
        ("review_order_above",),
    ]


def test_arguments_go_before_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAMENG_PAY_WITHIN_SECONDS", "600")
    monkeypatch.setenv("KAMENG_ANSWER_WITHIN_SECONDS", "6")
    settings = Settings(pay_within_seconds=60)

    own, other = settings.of(OrderSettings), settings.model_copy(update={"pay_within_seconds": 30}).of(OrderSettings)

    assert (own.pay_within_seconds, own.answer_within_seconds) == (60, 6)
    assert (other.pay_within_seconds, other.answer_within_seconds) == (30, 6)
    assert settings.of(OrderSettings) is own


def test_no_two_services_have_a_setting_of_the_same_name() -> None:
    declared = [service.settings for service in all_services() if service.settings]
    names = [*Settings.model_fields, *(name for kind in declared for name in kind.model_fields)]

    assert len(names) == len({*names})
    assert len(declared) == len(NAMES)
