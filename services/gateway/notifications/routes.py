"""Messages to people, and whether they were sent."""

from __future__ import annotations

from typing import Annotated, Literal

import sqlalchemy as sa
from fastapi import APIRouter, Depends, Response
from pydantic import JsonValue

from services.gateway.access.auth import Permission, Principal
from services.gateway.http.answers import ASKED, Answer, refusals
from services.gateway.http.depends import Context, may
from services.gateway.http.pages import Cursor, Limit, Page, page
from services.gateway.http.shapes import CodeFilter
from services.gateway.notifications.projection import notifications

router = APIRouter(prefix="/v1/notifications", tags=["notifications"])
Status = Literal["queued", "sent", "failed", "withheld"]


class Message(Answer):
    message_id: str
    channel: str
    recipient: str
    template: str
    locale: str
    params: dict[str, JsonValue]
    order_id: str | None
    status: Status
    attempts: int
    reason: str | None
    queued_at: str
    ended_at: str | None


@router.get("", summary="List messages", response_model=Page[Message], responses=refusals(*ASKED))
async def listed(
    context: Context,
    caller: Annotated[Principal, Depends(may(Permission.NOTIFICATION_READ))],
    status: Status | None = None,
    order_id: CodeFilter = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response:
    """The newest comes first."""
    columns = notifications.c
    statement = sa.select(notifications)
    if status is not None:
        statement = statement.where(columns.status == status)
    if order_id is not None:
        statement = statement.where(columns.order_id == order_id)
    return await page(context, statement, (columns.queued_at, columns.message_id), limit, cursor)
