"""Orders: placing, following, cancelling, refunding and replacing."""
