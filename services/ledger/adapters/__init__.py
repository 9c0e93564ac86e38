"""What the ledger gets from its host: the payment channels, the commission rate, and the clock."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from services.ledger.adapters.channel import Channel
from services.ledger.settings import LedgerSettings
from shared.runtime.clock import Clock
from shared.runtime.service import HostContext


@dataclass(frozen=True)
class Adapters:
    """The payment channels by name, an agent's share of captures in basis points, and how long channels are asked."""

    channels: Mapping[str, Channel]
    commission_basis_points: int
    ask_within: timedelta
    clock: Clock


def build(context: HostContext) -> Adapters:
    """The adapters, with the channels of the settings. Each channel has its own secret `channel-<name>`."""
    settings, own = context.settings, context.settings.of(LedgerSettings)
    channels = {
        name: Channel(
            http=context.client(base_url=channel.url, timeout=channel.timeout_seconds, trust_env=False),
            secret=context.secrets.get(f"channel-{name}"),
            clock=context.clock,
            return_url=settings.public_url,
        )
        for name, channel in settings.channels.items()
    }
    ask_within = timedelta(seconds=own.ask_within_seconds)
    return Adapters(channels, own.commission_basis_points, ask_within, context.clock)
