"""Fixtures that every test may ask for."""

from tests.databases import engine, new_database, postgres, postgres_url

__all__ = ["engine", "new_database", "postgres", "postgres_url"]
