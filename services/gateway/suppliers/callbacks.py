"""Signed callbacks of suppliers."""

from __future__ import annotations

from typing import Literal

from anyio.to_thread import run_sync
from fastapi import APIRouter, Request, Response

from services.gateway.callbacks import receiving
from services.gateway.http.answers import Answer, answer, refusals
from services.gateway.http.context import ApiContext
from services.gateway.http.depends import ClientIp, Context
from services.gateway.http.parsing import JsonRoute
from services.gateway.http.problems import Problem, not_found
from services.gateway.http.shapes import PathId
from shared.contracts.fulfillment import PurchaseReport
from shared.contracts.inventory import SealedKey
from shared.security.sealing import keypair_from_secret
from shared.security.texts import TextSealing

router = APIRouter(prefix="/v1/suppliers", tags=["deliveries"], route_class=JsonRoute)
REFUSED = {
    "wrong-supplier": "the report was recorded for staff: the delivery was not ordered from this supplier",
    "too-many-reports": "the report was not recorded: this supplier reported a delivery of others too often",
}


class Recorded(Answer):
    outcome: Literal["recorded"]


@router.post(
    "/callbacks/{supplier}",
    summary="Receive a supplier's report about a purchase",
    response_model=Recorded,
    responses=refusals(401, 404, 409, 413, 429, 504),
)
async def receive_report(
    supplier: PathId,
    request: Request,
    context: Context,
    ip: ClientIp,
    timestamp: receiving.Timestamp = "",
    signature: receiving.Signature = "",
) -> Response:
    """The supplier signs with its shared secret, and names a purchase that was ordered from it.

    A report about any other purchase (409 `wrong-supplier`), and one that can't be read (422), is recorded and shown to
    staff. Beyond a limit such reports are not recorded (409 `too-many-reports`).
    """
    if supplier not in context.backend.settings.suppliers:
        raise not_found("supplier")
    partner = receiving.Partner("supplier", supplier)
    received = await receiving.receive(context, request, ip, partner, timestamp, signature, PurchaseReport)
    if not received.authentic:
        raise receiving.bad_signature()
    report = received.content
    try:
        command = report.told_by(supplier)
    except ValueError:
        problem = Problem(422, "wrong-supplier", "this purchase was not ordered from this supplier")
        await receiving.record_unread(context, partner, await request.body(), [str(problem.detail)])
        raise problem from None
    if report.goods:
        command = report.told_by(supplier, await _sealed(context, report))
    reply = await context.send(command, partner.principal, context.backend.ids.new_id())
    if (reason := reply.answer.get("reason")) in REFUSED:
        raise Problem(409, reason, REFUSED[reason])
    return answer({"outcome": "recorded"})


async def _sealed(context: ApiContext, report: PurchaseReport) -> tuple[SealedKey, ...]:
    """The texts of a report, sealed for fulfillment."""
    secrets, random_bytes = context.backend.secrets, context.backend.ids.random_bytes
    public = keypair_from_secret(secrets.get("fulfillment-sealing")).public
    sealing = TextSealing(public, secrets.get("blind-index"), random_bytes)
    sealed = await run_sync(sealing.sealed, report.goods, report.request_id)
    return tuple(SealedKey(index=index, box=box) for index, box in sealed)
