"""The two pages for people."""
