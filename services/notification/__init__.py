"""Tells buyers, staff and other machines what happened, each message once."""
