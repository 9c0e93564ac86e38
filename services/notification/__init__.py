"""Tells buyers, staff and other machines what happened, each message once."""

READS = ("fulfillment", "gateway", "inventory", "ledger", "order", "risk")
"""The services whose logs it reads."""
