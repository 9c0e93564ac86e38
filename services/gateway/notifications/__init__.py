"""Messages that were sent, or not."""
