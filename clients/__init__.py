"""What others install to work with us, and what generates it."""
