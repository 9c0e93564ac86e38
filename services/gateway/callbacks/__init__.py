"""What partners (payment channels and suppliers) tell over HTTP, signed, and what of it can't be read."""
