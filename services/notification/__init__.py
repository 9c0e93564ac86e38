"""Tells buyers, staff and other machines what happened, each message once."""

SECRETS = ("webhook",)
"""The secrets that its writer reads."""
OUTSIDE_PORTS = (443, 465, 587)
"""The ports at which its writer calls webhooks and submits mail, with TLS from the start or STARTTLS."""
