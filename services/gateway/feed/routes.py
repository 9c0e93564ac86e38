"""The feed of events: each service's log from its first event."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from heapq import merge
from typing import TYPE_CHECKING, Annotated, Literal

from fastapi import APIRouter, Depends, Query, Response
from pydantic import JsonValue, ValidationError

from services.gateway.access.auth import Permission, Principal
from services.gateway.http import pages
from services.gateway.http.answers import ASKED, Answer, refusals
from services.gateway.http.context import ApiContext
from services.gateway.http.depends import Context, may
from services.gateway.http.pages import Items, Page, as_json
from services.gateway.http.problems import Problem
from shared.broker.cloudevents import cloud_events, structured
from shared.contracts import OWNERS, UnknownMessage
from shared.eventstore.recorded import RecordedEvent

router = APIRouter(prefix="/v1/events", tags=["events"])
MOST_POSITION = 2**53
MOST_VERSIONS = 100
if TYPE_CHECKING:
    Source = str
else:
    Source = Literal[OWNERS]


def _as_stored(recorded: RecordedEvent) -> tuple[bytes]:
    fields = {
        "id": recorded.id,
        "source": recorded.source,
        "position": recorded.position,
        "type": recorded.type,
        "time": recorded.at.isoformat(),
        "stream": recorded.stream,
        "version": recorded.version,
    }
    return (b'%s,"data":%s,"meta":%s}' % (as_json(fields)[:-1], recorded.data.encode(), recorded.meta_json.encode()),)


def _as_published(recorded: RecordedEvent) -> tuple[bytes, ...]:
    """One CloudEvent for each version that publishers send. Raises Problem (503) for an event newer than this code."""
    try:
        return tuple(structured(recorded, event).encode() for event in cloud_events(recorded))
    except (UnknownMessage, ValidationError):
        raise Problem(503, "event-unknown", "the log holds an event of a version newer than this gateway") from None


RENDER: Mapping[str, Callable[[RecordedEvent], tuple[bytes, ...]]] = {"log": _as_stored, "cloudevents": _as_published}


def _page_of(
    events: Sequence[RecordedEvent],
    form: str,
    limit: int,
    following: Callable[[Sequence[RecordedEvent]], str],
    beyond: Sequence[str],
) -> Response:
    """A page with as many of these events as fit, each in all of its versions."""
    items, taken = Items(MOST_VERSIONS * limit), 0
    for recorded in events[:limit]:
        if not items.take(*RENDER[form](recorded)):
            break
        taken += 1
    return items.answer(following(events[:taken]), beyond=beyond)


async def _pull(context: ApiContext, source: str, after: int, limit: int) -> tuple[list[RecordedEvent], bool]:
    """Events after a position, and whether the log ends before that position."""
    found = await context.backend.pull(source, after, limit)
    return list(found.events), bool(after) and not found.events and not found.before


def _positions(after: str | None) -> dict[str, int]:
    """The cursor's position in each log; 0 for a log that is newer than the cursor. Raises Problem (422)."""
    positions = pages.decode(after) if after is not None else {}
    is_valid = isinstance(positions, dict) and positions.keys() <= set(OWNERS)
    if not is_valid or not all(type(at) is int and 0 <= at <= MOST_POSITION for at in positions.values()):
        raise pages.bad_cursor()
    return dict.fromkeys(OWNERS, 0) | positions


async def _one(context: ApiContext, source: str, after: str | None, form: str, limit: int) -> Response:
    if after is not None and not (after.isascii() and after.isdecimal() and len(after) <= 15):
        raise pages.bad_cursor()
    position = int(after or 0)
    events, is_beyond = await _pull(context, source, position, limit)

    def following(shown: Sequence[RecordedEvent]) -> str:
        return str(shown[-1].position if shown else position)

    return await context.in_page_thread(_page_of, events, form, limit, following, [source] if is_beyond else [])


async def _all(context: ApiContext, after: str | None, form: str, limit: int) -> Response:
    positions = _positions(after)
    pulled = {source: await _pull(context, source, positions[source], limit) for source in OWNERS}
    logs, beyond = [found for found, _ in pulled.values()], [source for source in OWNERS if pulled[source][1]]
    # A pull returns more than a page shows. The page ends before any of the pulls does, so the order of time holds.
    events = list(merge(*logs, key=lambda recorded: recorded.at))

    def following(shown: Sequence[RecordedEvent]) -> str:
        return pages.encode(positions | {recorded.source: recorded.position for recorded in shown})

    return await context.in_page_thread(_page_of, events, form, limit, following, beyond)


class StoredEvent(Answer):
    """An event as the log holds it: the `version`th of its stream, at this position of its service's log."""

    id: str
    source: Source
    position: int
    type: str
    time: str
    stream: str
    version: int
    data: dict[str, JsonValue]
    meta: dict[str, JsonValue]


class PublishedEvent(Answer):
    """A CloudEvents 1.0 JSON object, with the attributes and data that subscribers of the broker get."""

    specversion: Literal["1.0"]
    id: str
    source: str
    type: str
    time: str
    subject: str
    datacontenttype: str
    partitionkey: str
    sequence: str
    correlationid: str
    causationid: str
    versions: str | None = None
    traceparent: str | None = None
    data: dict[str, JsonValue]


class FeedPage(Page[StoredEvent | PublishedEvent]):
    """A page of events. `beyond` names the services whose logs end before the position that was asked for. The caller
    then holds events of a log that was lost, for example because it was restored from a backup."""

    beyond: list[Source]


@router.get("", summary="Read events", response_model=FeedPage, responses=refusals(*ASKED))
async def events(
    context: Context,
    caller: Annotated[Principal, Depends(may(Permission.EVENTS_READ))],
    source: Source | None = None,
    after: Annotated[str | None, Query(max_length=1_000, description="`next` of the previous answer.")] = None,
    limit: Annotated[int, Query(ge=1, le=1_000)] = 100,
    form: Annotated[Literal["log", "cloudevents"], Query(description="Events as stored, or as published.")] = "log",
) -> Response:
    """With `source`, reads one service's log, and `after` is a position. Without it, reads all logs in the order of
    time, and `after` is an opaque cursor.

    A page holds `limit` events, or fewer large ones (1 MB of items; a larger event comes alone). `next` is always
    there: send it as `after` later to get newer events. In the form `cloudevents` each item is a CloudEvents
    1.0 JSON object, with the attributes and data that subscribers of the broker get.
    """
    return await (_one(context, source, after, form, limit) if source else _all(context, after, form, limit))
