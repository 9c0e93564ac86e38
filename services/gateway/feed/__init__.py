"""The feed of events: every log from its first event on."""
