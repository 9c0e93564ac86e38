"""Settings of risk: the limits above which an order needs a person."""

from __future__ import annotations

from pydantic import Field, field_validator

from shared.runtime.settings import OwnSettings
from shared.values import currencies


class RiskSettings(OwnSettings):
    """Limits by currency, in major units such as "5000.00"."""

    review_order_above: dict[str, str] = Field(default={"CNY": "5000.00"})
    review_customer_day_above: dict[str, str] = Field(default={"CNY": "20000.00"})

    @field_validator("review_order_above", "review_customer_day_above", mode="before")
    @classmethod
    def _are_amounts(cls, value: object) -> object:
        """Check amounts by currency, such as {"USD": "700.00"}."""
        if not isinstance(value, dict):
            raise ValueError('expected amounts by currency, such as {"USD": "700.00"}')
        limits = {str(name).upper(): str(amount) for name, amount in value.items()}
        if any(currencies.minor(amount, code) < 0 for code, amount in limits.items()):
            raise ValueError("a limit can't be below zero")
        return limits
