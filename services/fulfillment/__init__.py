"""Fulfillment: delivers confirmed order lines from sealed keys, through suppliers, or by people."""

READS = ("inventory", "order")
"""The services whose logs it reads."""
