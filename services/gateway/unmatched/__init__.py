"""Received money that matches no payment."""
