"""What suppliers tell of purchases, and what staff decide where it does not fit."""
