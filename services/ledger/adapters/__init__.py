"""The ledger's outside world: the payment channels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from services.ledger.adapters.channel import Channel
from shared.hosting.service import Surroundings


@dataclass(frozen=True)
class Outside:
    """The payment channels by name, and an agent's share of what is captured."""

    channels: Mapping[str, Channel]
    commission_basis_points: int


def build(surroundings: Surroundings) -> Outside:
    """The channels of the settings, each with its own secret `channel-<name>`."""
    settings = surroundings.settings
    channels = {
        name: Channel(
            http=surroundings.client(base_url=channel.url, timeout=channel.timeout_seconds, trust_env=False),
            secret=surroundings.secrets.get(f"channel-{name}"),
            ports=surroundings.ports,
            return_url=settings.public_url,
        )
        for name, channel in settings.channels.items()
    }
    return Outside(channels, settings.commission_basis_points)
