"""Fulfillment: delivers confirmed order lines from sealed keys, through suppliers, or by people."""

SECRETS = ("fulfillment-sealing", "blind-index", "supplier-{name}")
"""The secrets that its writer reads. With the blind index the hashes of suppliers' texts are those of the same keys in
stock."""
OUTSIDE_PORTS = (443,)
"""The ports at which its writer calls suppliers on the internet."""
