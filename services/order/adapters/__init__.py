"""What the order service gets from its host: how long an order may wait."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from services.order.domain import TimeLimits
from services.order.settings import OrderSettings
from shared.runtime.service import HostContext


@dataclass(frozen=True)
class Adapters:
    time_limits: TimeLimits


def build(context: HostContext) -> Adapters:
    settings = context.settings.of(OrderSettings)
    return Adapters(
        time_limits=TimeLimits(
            pay_within=timedelta(seconds=settings.pay_within_seconds),
            answer_within=timedelta(seconds=settings.answer_within_seconds),
            review_within=timedelta(seconds=settings.review_within_seconds),
            deliver_within=timedelta(seconds=settings.deliver_within_seconds),
            reserve_for=timedelta(seconds=settings.reserve_for_seconds),
            reopen_within=timedelta(seconds=settings.reopen_within_seconds),
        )
    )
