"""Payments, their closing and their returns."""
