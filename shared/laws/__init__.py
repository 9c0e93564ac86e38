"""What must always hold, computed from the logs alone, whoever runs the services."""

from shared.laws.finding import Finding
from shared.laws.keys import key_once, no_oversell
from shared.laws.money import balanced
from shared.laws.orders import paid_ended

__all__ = ["Finding", "balanced", "key_once", "no_oversell", "paid_ended"]
