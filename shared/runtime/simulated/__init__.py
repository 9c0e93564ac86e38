"""The simulated host: a whole cluster in one thread, on a virtual clock, with faults that a seed determines."""
