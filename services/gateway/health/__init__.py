"""Whether the process lives and is ready, and its metrics."""
