"""Webhook endpoints, from the gateway's own log. The state of deliveries is in `tables.py`: it comes from no event."""

from __future__ import annotations

import sqlalchemy as sa

from services.gateway.resource_projection import OpenRows, ResourceProjection, folds, iso, metadata
from shared.contracts.gateway import (
    WebhookEndpointChanged,
    WebhookEndpointDisabled,
    WebhookEndpointEnabled,
    WebhookEndpointRegistered,
    WebhookEndpointRemoved,
    WebhookSecretRotated,
)
from shared.eventstore.recorded import RecordedEvent

webhook_endpoints = sa.Table(
    "webhook_endpoints",
    metadata,
    sa.Column("endpoint_id", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("url", sa.Text, nullable=False),
    sa.Column("events", sa.JSON, nullable=False),
    sa.Column("since", sa.JSON, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("reason", sa.Text),
    sa.Column("generation", sa.Integer, nullable=False),
    sa.Column("former_until", sa.Text),
    sa.Column("registered_at", sa.Text, nullable=False),
    sa.Column("changed_at", sa.Text, nullable=False),
)


class Webhooks(ResourceProjection):
    """One row for each endpoint, including removed ones. `status` is `enabled`, `disabled` (`reason` says why) or
    `removed`.

    `since` holds, for each service whose events the endpoint gets, the time of the first one. `changed_at` is when
    `status` changed.
    """

    def __init__(self, rows: OpenRows) -> None:
        self._endpoints = rows(webhook_endpoints)

    @folds(WebhookEndpointRegistered)
    def registered(self, event: WebhookEndpointRegistered, recorded: RecordedEvent) -> None:
        at = iso(recorded.at)
        self._endpoints.put(
            {
                "endpoint_id": event.endpoint_id,
                "name": event.name,
                "url": event.url,
                "events": list(event.events),
                "since": dict.fromkeys(event.sources, at),
                "status": "enabled",
                "generation": 1,
                "registered_at": at,
                "changed_at": at,
            }
        )

    @folds(WebhookEndpointChanged)
    def changed(self, event: WebhookEndpointChanged, recorded: RecordedEvent) -> None:
        row = self._endpoints.get(event.endpoint_id)
        before = row["since"] if row else {}
        since = {source: before.get(source, iso(recorded.at)) for source in event.sources}
        self._endpoints.update(
            event.endpoint_id, name=event.name, url=event.url, events=list(event.events), since=since
        )

    @folds(WebhookSecretRotated)
    def rotated(self, event: WebhookSecretRotated, recorded: RecordedEvent) -> None:
        self._endpoints.update(event.endpoint_id, generation=event.generation, former_until=iso(event.former_until))

    @folds(WebhookEndpointEnabled)
    def enabled(self, event: WebhookEndpointEnabled, recorded: RecordedEvent) -> None:
        self._turn(event.endpoint_id, "enabled", None, recorded)

    @folds(WebhookEndpointDisabled)
    def disabled(self, event: WebhookEndpointDisabled, recorded: RecordedEvent) -> None:
        self._turn(event.endpoint_id, "disabled", event.reason, recorded)

    @folds(WebhookEndpointRemoved)
    def removed(self, event: WebhookEndpointRemoved, recorded: RecordedEvent) -> None:
        self._turn(event.endpoint_id, "removed", None, recorded)

    def _turn(self, endpoint_id: str, status: str, reason: str | None, recorded: RecordedEvent) -> None:
        self._endpoints.update(endpoint_id, status=status, reason=reason, changed_at=iso(recorded.at))
