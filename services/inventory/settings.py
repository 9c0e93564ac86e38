"""Settings of inventory: how much of the stock unpaid orders may reserve."""

from __future__ import annotations

from pydantic import Field

from shared.runtime.settings import OwnSettings


class InventorySettings(OwnSettings):
    """Shares are in percent, `unpaid_small_order` is in pieces."""

    unpaid_share_percent: int = Field(default=50, ge=1, le=100)
    unpaid_buyer_percent: int = Field(default=50, ge=1, le=100)
    unpaid_kept_percent: int = Field(default=10, ge=1, le=100)
    unpaid_small_order: int = Field(default=5, ge=0)
