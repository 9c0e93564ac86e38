# Generated from the contracts by `python -m clients.generate`. Not to be edited.
"""Every event that is published, by service."""

from kameng_subscriber.events import fulfillment, gateway, inventory, ledger, notification, order, risk

SOURCES = ("fulfillment", "gateway", "inventory", "ledger", "notification", "order", "risk")
__all__ = ["SOURCES", "fulfillment", "gateway", "inventory", "ledger", "notification", "order", "risk"]
