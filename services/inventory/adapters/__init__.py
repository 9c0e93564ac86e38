"""What inventory gets from its host: the limits of unpaid orders."""

from __future__ import annotations

from dataclasses import dataclass

from services.inventory.domain.unpaid import UnpaidLimits
from services.inventory.settings import InventorySettings
from shared.runtime.service import HostContext


@dataclass(frozen=True)
class Adapters:
    unpaid: UnpaidLimits


def build(context: HostContext) -> Adapters:
    settings = context.settings.of(InventorySettings)
    return Adapters(
        unpaid=UnpaidLimits(
            share_percent=settings.unpaid_share_percent,
            buyer_percent=settings.unpaid_buyer_percent,
            kept_percent=settings.unpaid_kept_percent,
            small_order=settings.unpaid_small_order,
        )
    )
