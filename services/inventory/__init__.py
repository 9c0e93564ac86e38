"""Inventory: products, their sealed keys, stock and reservations."""

READS = ("fulfillment", "order")
"""The services whose logs it reads."""
