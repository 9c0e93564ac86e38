"""What fulfillment gets from its host: the vault and the suppliers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from services.fulfillment.adapters.goods import goods_sealing
from services.fulfillment.adapters.supplier import Supplier, Suppliers
from services.fulfillment.adapters.vault import Vault
from services.fulfillment.settings import FulfillmentSettings
from shared.runtime.service import HostContext
from shared.runtime.settings import SupplierSettings


@dataclass(frozen=True)
class Adapters:
    """The vault for decisions, and the suppliers for effects. A failed purchase is looked up for `look_up_for`."""

    vault: Vault
    suppliers: Suppliers
    now: Callable[[], datetime]
    look_up_for: timedelta


def build(context: HostContext) -> Adapters:
    """The adapters, as the settings say."""
    suppliers = {name: _supplier(name, settings, context) for name, settings in context.settings.suppliers.items()}
    return Adapters(
        vault=Vault(context.secrets.get("fulfillment-sealing"), context.ids.random_bytes),
        suppliers=Suppliers(suppliers),
        now=context.clock.now,
        look_up_for=timedelta(seconds=context.settings.of(FulfillmentSettings).supplier_look_up_seconds),
    )


def _supplier(name: str, settings: SupplierSettings, context: HostContext) -> Supplier:
    return Supplier(
        name=name,
        client=context.client(base_url=settings.url, timeout=settings.timeout_seconds),
        secret=context.secrets.get(f"supplier-{name}"),
        callback_url=f"{context.settings.public_url.rstrip('/')}/v1/suppliers/callbacks/{name}",
        now=context.clock.now,
        seal=goods_sealing(context.secrets, context.ids.random_bytes).seal,
    )
