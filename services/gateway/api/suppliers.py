"""What suppliers tell of purchases."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Header, Request

from services.gateway.api import callbacks
from services.gateway.api.depends import ClientIp, TheGate
from services.gateway.api.shapes import PathId
from services.gateway.problems import Problem, not_found
from shared.contracts.fulfillment import PurchaseReport, RecordPurchase

router = APIRouter(prefix="/v1/suppliers", tags=["deliveries"])


@router.post("/callbacks/{supplier}", summary="A supplier tells of a purchase")
async def called_back(
    supplier: PathId,
    request: Request,
    gate: TheGate,
    ip: ClientIp,
    timestamp: Annotated[str, Header(alias=callbacks.TIMESTAMP_HEADER)] = "",
    signature: Annotated[str, Header(alias=callbacks.SIGNATURE_HEADER)] = "",
) -> dict[str, Any]:
    """Signed with the secret shared with the supplier, and bound to a purchase that was asked of it."""
    if supplier not in gate.backend.settings.suppliers:
        raise not_found("supplier")
    told = await callbacks.receive(gate, request, f"supplier-{supplier}", timestamp, signature, PurchaseReport)
    if not told.authentic:
        callbacks.slow_forgers(gate, ip)
        raise callbacks.forged()
    try:
        command = told.content.told_by(supplier)
    except ValueError:
        raise Problem(422, "wrong-supplier", "this purchase was not asked of this supplier") from None
    fields = {name: getattr(command, name) for name in RecordPurchase.model_fields}
    command_id = gate.backend.ports.new_id()
    await gate.send(RecordPurchase, callbacks.partner("supplier", supplier), command_id, **fields)
    return {"outcome": "recorded"}
