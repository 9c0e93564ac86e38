"""The way in: HTTP, sign-in and permissions, and the read models that answer every query."""

READS = ("fulfillment", "inventory", "ledger", "notification", "order", "risk")
"""The services whose logs it reads."""
