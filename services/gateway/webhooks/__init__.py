"""Signed webhooks: endpoints, the events that they get, and the deliveries."""
