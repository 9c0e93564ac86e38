"""Products with their stock."""
