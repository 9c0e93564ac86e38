"""Fulfillment: delivers confirmed order lines from sealed keys, through suppliers, or by people."""
