"""The feed of events: every log from its first event on."""

from __future__ import annotations

import json
from heapq import merge
from itertools import islice
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query
from pydantic import ValidationError

from services.gateway.api import pages
from services.gateway.api.depends import TheGate, may
from services.gateway.api.gate import Gate
from services.gateway.auth import Permission, Principal
from services.gateway.problems import Problem
from shared.contracts import UnknownMessage
from shared.eventlog.recorded import Recorded
from shared.messaging.outgoing import cloud_events, structured

router = APIRouter(prefix="/v1/events", tags=["events"])
SOURCES = ("fulfillment", "gateway", "inventory", "ledger", "notification", "order", "risk")
Source = Literal["fulfillment", "gateway", "inventory", "ledger", "notification", "order", "risk"]
MOST_POSITION = 2**53


def _rendered(recorded: Recorded) -> dict[str, Any]:
    return {
        "id": recorded.id,
        "source": recorded.source,
        "position": recorded.position,
        "type": recorded.type,
        "time": recorded.at.isoformat(),
        "stream": recorded.stream,
        "version": recorded.version,
        "data": json.loads(recorded.data),
        "meta": json.loads(recorded.meta_json),
    }


def _as_cloud_events(found: list[Recorded]) -> list[dict[str, Any]]:
    """As publishers send them, in each version that they do. Raises Problem (503) for what is newer than this code."""
    try:
        return [json.loads(structured(recorded, said)) for recorded in found for said in cloud_events(recorded)]
    except (UnknownMessage, ValidationError):
        raise Problem(503, "event-unknown", "the log holds an event that is newer than this gateway") from None


async def _pull(gate: Gate, source: str, after: int, limit: int) -> list[Recorded]:
    return list((await gate.backend.pull(source, after, limit)).events)


def _positions(after: str | None) -> dict[str, int]:
    """The position reached in each log. Raises Problem (422)."""
    if after is None:
        return dict.fromkeys(SOURCES, 0)
    told = pages.decode(after)
    fits = isinstance(told, dict) and told.keys() == set(SOURCES)
    if not fits or not all(type(at) is int and 0 <= at <= MOST_POSITION for at in told.values()):
        raise pages.bad_cursor()
    return told


async def _one(gate: Gate, source: str, after: str | None, limit: int) -> tuple[list[Recorded], str]:
    if after is not None and not (after.isascii() and after.isdecimal() and len(after) <= 15):
        raise pages.bad_cursor()
    events = await _pull(gate, source, int(after or 0), limit)
    return events, str(events[-1].position if events else int(after or 0))


async def _all(gate: Gate, after: str | None, limit: int) -> tuple[list[Recorded], str]:
    positions = _positions(after)
    logs = [await _pull(gate, source, positions[source], limit) for source in SOURCES]
    events = list(islice(merge(*logs, key=lambda recorded: recorded.at), limit))
    positions.update((recorded.source, recorded.position) for recorded in events)
    return events, pages.encode(positions)


@router.get("", summary="Read events")
async def events(
    gate: TheGate,
    caller: Annotated[Principal, Depends(may(Permission.EVENTS_READ))],
    source: Source | None = None,
    after: Annotated[str | None, Query(max_length=1_000, description="`next` of the answer before.")] = None,
    limit: Annotated[int, Query(ge=1, le=1_000)] = 100,
    form: Annotated[Literal["log", "cloudevents"], Query(description="As stored, or as it is published.")] = "log",
) -> dict[str, Any]:
    """One service's log, `after` being a position; or all logs by time, `after` being an opaque cursor.

    `next` is always there: ask with it again later for what happened since. In the form `cloudevents` each item is a
    CloudEvents 1.0 JSON object, with the attributes and data that subscribers of the broker get.
    """
    found, following = await (_one(gate, source, after, limit) if source else _all(gate, after, limit))
    items = _as_cloud_events(found) if form == "cloudevents" else [_rendered(recorded) for recorded in found]
    return {"items": items, "next": following}
