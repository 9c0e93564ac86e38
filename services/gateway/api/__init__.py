"""The HTTP API."""

from services.gateway.api.app import create_app

__all__ = ["create_app"]
