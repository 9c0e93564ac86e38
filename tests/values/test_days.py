"""Laws of the shop's days."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.values.days import (
    UnknownZone,
    day_of,
    end_of,
    start_of,
    zone,
)

ZONES = st.sampled_from(sorted(available_timezones())).map(zone)
DAYS = st.dates(date(1970, 1, 2), date(2100, 1, 1))
INSTANT = timedelta(microseconds=1)


@given(DAYS, ZONES)
def test_days_follow_one_another_without_a_gap(day: date, where) -> None:
    begins = start_of(day, where)
    assert end_of(day, where) == start_of(day + timedelta(days=1), where)
    assert day_of(begins, where) >= day > day_of(begins - INSTANT, where)


INSTANTS = st.integers(200_000, 4_102_444_800).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))


@given(INSTANTS, ZONES)
def test_every_instant_lies_within_its_day(at: datetime, where) -> None:
    day = day_of(at, where)
    assert start_of(day, where) <= at < end_of(day, where)


def test_a_day_is_over_at_midnight_where_the_shop_is() -> None:
    assert end_of(date(2027, 12, 31), zone("Asia/Shanghai")) == datetime(2027, 12, 31, 16, tzinfo=UTC)


def test_a_day_whose_midnight_clocks_skip_begins_when_they_do() -> None:
    assert start_of(date(2018, 11, 4), zone("America/Sao_Paulo")) == datetime(2018, 11, 4, 3, tzinfo=UTC)


def test_the_last_day_there_is_never_ends() -> None:
    assert end_of(date.max, zone("Asia/Shanghai")) > datetime(9999, 12, 31, tzinfo=UTC)


@pytest.mark.parametrize("name", ["Nowhere/Land", "", "../etc/passwd", "/etc/localtime", "Asia", "Asia/Shanghai\0"])
def test_what_is_no_zone_is_refused(name: str) -> None:
    with pytest.raises(UnknownZone):
        zone(name)
