"""Callbacks of suppliers, and what staff decide about statements that differ from what was known."""
