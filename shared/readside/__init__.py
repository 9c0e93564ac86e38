"""What an HTTP process reads: read models, how far they have come, batched queries."""
