"""Projections: tables that are folded from events, kept up to date, bulk loaded, rebuilt and verified."""
