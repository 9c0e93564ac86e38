"""From when and until when a version is published."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from shared.contracts.inventory import StockShort
from shared.published.changes import Breaks, changes
from shared.published.event_versions import EventVersion
from shared.published.schemas import schema

TODAY = date(2026, 1, 1)
CURRENT = {"x-kameng-published": True}


def until(day: str) -> dict[str, Any]:
    return {"x-kameng-published": True, "deprecated": True, "x-kameng-published-until": day}


GONE = {"x-kameng-published": False, "deprecated": True}


@pytest.mark.parametrize(
    ("before", "after", "message", "breaks"),
    [
        (CURRENT, until("2026-06-30"), "it is published until 2026-06-30", Breaks.NOBODY),
        (CURRENT, until("2026-06-29"), "which is before 2026-06-30", Breaks.SUBSCRIBERS),
        (CURRENT, GONE, "it is published no longer, without notice", Breaks.SUBSCRIBERS),
        (until("2026-03-01"), until("2026-03-02"), "it is published until 2026-03-02", Breaks.NOBODY),
        (until("2026-03-01"), until("2026-02-28"), "until 2026-03-01, now until 2026-02-28", Breaks.SUBSCRIBERS),
        (until("2026-01-01"), GONE, "and was to be until 2026-01-01", Breaks.SUBSCRIBERS),
        (until("2025-12-31"), GONE, "it is published no longer", Breaks.NOBODY),
        (GONE, until("2026-12-31"), "it is published until 2026-12-31", Breaks.NOBODY),
    ],
)
def test_notice_is_given_and_kept(before: dict[str, Any], after: dict[str, Any], message: str, breaks: Breaks) -> None:
    shape = {
        part: value for part, value in schema(EventVersion("StockShort", StockShort)).items() if part not in CURRENT
    }

    (change,) = changes(shape | before, shape | after, TODAY)

    assert message in str(change)
    assert change.breaks is breaks


@pytest.mark.parametrize("standing", [CURRENT, until("2025-12-31"), until("2026-12-31"), GONE])
def test_a_day_that_passes_breaks_nothing(standing: dict[str, Any]) -> None:
    shape = schema(EventVersion("StockShort", StockShort)) | standing

    assert changes(shape, shape, TODAY) == []
