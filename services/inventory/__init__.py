"""Inventory: products, their sealed keys, stock and reservations."""
