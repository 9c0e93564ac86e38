"""The way in: HTTP, sign-in and permissions, and the read models that answer every query."""
