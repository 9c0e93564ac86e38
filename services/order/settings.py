"""Settings of orders: how long they may wait for each step."""

from __future__ import annotations

from shared.runtime.settings import OwnSettings


class OrderSettings(OwnSettings):
    """Time limits are in seconds."""

    pay_within_seconds: float = 1800
    answer_within_seconds: float = 60
    review_within_seconds: float = 86_400
    deliver_within_seconds: float = 600
    reserve_for_seconds: float = 90_000
    reopen_within_seconds: float = 86_400
