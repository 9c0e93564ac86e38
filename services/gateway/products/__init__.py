"""The catalogue with its stock."""
