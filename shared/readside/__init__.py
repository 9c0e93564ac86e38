"""Queries for an HTTP process: read models, how far they have been applied, batched lookups."""
