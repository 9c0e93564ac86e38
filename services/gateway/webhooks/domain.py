"""The rules of webhook endpoints: their URL, their filter, their status and their secret. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Literal

from services.gateway.webhooks.filters import sources_of
from shared.contracts import Command, Decided, DecisionContext, Event, Refused
from shared.contracts.gateway import (
    ChangeWebhookEndpoint,
    DisableWebhookEndpoint,
    EnableWebhookEndpoint,
    RegisterWebhookEndpoint,
    RemoveWebhookEndpoint,
    RotateWebhookSecret,
    WebhookEnd,
    WebhookEndpointChanged,
    WebhookEndpointDisabled,
    WebhookEndpointEnabled,
    WebhookEndpointRegistered,
    WebhookEndpointRemoved,
    WebhookSecretRotated,
)


@dataclass(frozen=True)
class EndpointState:
    status: Literal["new", "enabled", "disabled", "removed"] = "new"
    name: str = ""
    url: str = ""
    events: tuple[str, ...] = ()
    generation: int = 1


def decide_webhook_endpoint(
    command: Command, state: EndpointState, given: DecisionContext
) -> Sequence[Event] | Decided:
    """Answers a rotation with the new `generation`. Refuses `webhook-exists`, `unknown-webhook` and
    `unknown-events`."""
    match command:
        case RegisterWebhookEndpoint(endpoint_id=endpoint_id, name=name, url=url, events=events):
            if state.status != "new":
                raise Refused("webhook-exists", "this endpoint is already registered")
            _check(events)
            sources = tuple(sorted(sources_of(events)))
            return [
                WebhookEndpointRegistered(endpoint_id=endpoint_id, name=name, url=url, events=events, sources=sources)
            ]
        case DisableWebhookEndpoint(endpoint_id=endpoint_id, reason=reason) if reason != "asked":
            # The dispatcher sends this, and may be late.
            return [_disabled(endpoint_id, state, reason)] if state.status == "enabled" else []
    if state.status in ("new", "removed"):
        raise Refused("unknown-webhook", "there is no such webhook endpoint", status=404)
    match command:
        case ChangeWebhookEndpoint(endpoint_id=endpoint_id, name=name, url=url, events=events):
            new = replace(
                state,
                name=state.name if name is None else name,
                url=state.url if url is None else url,
                events=state.events if events is None else events,
            )
            if new == state:
                return []
            _check(new.events)
            fields = {"name": new.name, "url": new.url, "events": new.events}
            sources = tuple(sorted(sources_of(new.events)))
            return [WebhookEndpointChanged(endpoint_id=endpoint_id, sources=sources, **fields)]
        case RotateWebhookSecret(endpoint_id=endpoint_id, overlap_seconds=overlap):
            until = given.now + timedelta(seconds=overlap)
            generation = state.generation + 1
            rotated = WebhookSecretRotated(endpoint_id=endpoint_id, generation=generation, former_until=until)
            return Decided([rotated], {"generation": generation})
        case EnableWebhookEndpoint(endpoint_id=endpoint_id):
            return [WebhookEndpointEnabled(endpoint_id=endpoint_id)] if state.status == "disabled" else []
        case DisableWebhookEndpoint(endpoint_id=endpoint_id, reason=reason):
            return [_disabled(endpoint_id, state, reason)] if state.status == "enabled" else []
        case RemoveWebhookEndpoint(endpoint_id=endpoint_id):
            return [WebhookEndpointRemoved(endpoint_id=endpoint_id)]
    raise TypeError(f"webhook endpoint does not decide {type(command).__name__}")


def _check(filter_: tuple[str, ...]) -> None:
    for pattern in filter_:
        if not sources_of((pattern,)):
            raise Refused("unknown-events", f"no event is called {pattern}", status=422, pattern=pattern)


def _disabled(endpoint_id: str, state: EndpointState, reason: WebhookEnd) -> WebhookEndpointDisabled:
    return WebhookEndpointDisabled(endpoint_id=endpoint_id, name=state.name, reason=reason)


def evolve_webhook_endpoint(state: EndpointState, event: Event) -> EndpointState:
    match event:
        case WebhookEndpointRegistered(name=name, url=url, events=events):
            return EndpointState("enabled", name, url, events)
        case WebhookEndpointChanged(name=name, url=url, events=events):
            return replace(state, name=name, url=url, events=events)
        case WebhookSecretRotated(generation=generation):
            return replace(state, generation=generation)
        case WebhookEndpointEnabled():
            return replace(state, status="enabled")
        case WebhookEndpointDisabled():
            return replace(state, status="disabled")
        case WebhookEndpointRemoved():
            return replace(state, status="removed")
    return state
