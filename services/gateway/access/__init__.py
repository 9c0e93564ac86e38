"""Customers, staff, signing in, permissions, and limits on guessing passwords."""
