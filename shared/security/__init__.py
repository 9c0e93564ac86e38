"""Secrets on disk, sealed boxes, blind indexes and signatures."""
