"""The simulated host."""
