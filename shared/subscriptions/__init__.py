"""How a service follows the logs of other services: positions, gaps, pulls, batches, divergence."""
