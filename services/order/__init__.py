"""Orders: placed at the catalogue's prices and led to delivery or back to the buyer's money."""
