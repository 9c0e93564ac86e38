"""What risk gets from its host: the limits of amounts. It calls nobody."""

from __future__ import annotations

from collections.abc import Mapping

from services.risk.domain.rules import AmountLimits
from services.risk.settings import RiskSettings
from shared.runtime.service import HostContext
from shared.values import currencies


def build(context: HostContext) -> AmountLimits:
    """The limits above which an order needs a person, in minor units, from the settings."""
    settings = context.settings.of(RiskSettings)
    return AmountLimits(
        order=_in_minor_units(settings.review_order_above),
        customer_day=_in_minor_units(settings.review_customer_day_above),
    )


def _in_minor_units(limits: Mapping[str, str]) -> dict[str, int]:
    return {code: currencies.minor(amount, code) for code, amount in limits.items()}
