"""Money: payments through channels, holds, captures, refunds and returns, in double entry."""

SECRETS = ("channel-{name}",)
"""The secrets that its writer reads."""
OUTSIDE_PORTS = (443,)
"""The ports at which its writer calls payment channels on the internet."""
