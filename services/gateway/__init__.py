"""The HTTP API: sign-in, permissions, and the read models that answer every query."""
