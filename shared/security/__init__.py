"""Secrets on disk, sealed boxes, blind indexes and HMAC signatures."""
