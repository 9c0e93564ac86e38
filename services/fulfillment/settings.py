"""Settings of fulfillment."""

from __future__ import annotations

from shared.runtime.settings import OwnSettings


class FulfillmentSettings(OwnSettings):
    """Times are in seconds."""

    supplier_look_up_seconds: float = 86_400
