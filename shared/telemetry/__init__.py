"""What operators see: structured logs, metrics, health and traces."""
