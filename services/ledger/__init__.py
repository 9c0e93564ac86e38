"""Money: payments through channels, holds, captures, refunds and returns, in double entry."""

READS = ("fulfillment", "order")
"""The services whose logs it reads."""
