"""The payment channel and the suppliers: honest about what they did, whatever they tell."""

from tests.simulation.partners.transport import CHANNEL, STRANGER, SUPPLIERS, Partners

__all__ = ["CHANNEL", "STRANGER", "SUPPLIERS", "Partners"]
