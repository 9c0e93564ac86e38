"""Screens every order against velocity rules and lists, and keeps the cases that people decide."""

READS = ("order",)
"""The services whose logs it reads."""
