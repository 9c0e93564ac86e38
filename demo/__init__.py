"""A day of a marketplace in a minute: real HTTP, real files, every path taken, then proofs."""
