"""How a service reads the logs of other services: positions, gaps, pulls, batches, divergence."""
