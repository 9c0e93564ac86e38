"""Webhook endpoints as they are shown."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import sqlalchemy as sa

from services.gateway.webhooks.projection import webhook_endpoints
from shared.contracts import Event
from shared.contracts.gateway import (
    WebhookEndpointChanged,
    WebhookEndpointDisabled,
    WebhookEndpointEnabled,
    WebhookEndpointRegistered,
    WebhookEndpointRemoved,
    WebhookSecretRotated,
)
from shared.eventstore.log import to_text
from tests.gateway.builders import NOW, Logs, database, fold

URL = "https://hooks.example.com/"
REGISTERED = WebhookEndpointRegistered(endpoint_id="e1", name="a", url=URL, events=("order.*",), sources=("order",))
CHANGED = WebhookEndpointChanged(
    endpoint_id="e1", name="b", url=URL, events=("order.*", "risk.*"), sources=("order", "risk")
)
NARROWED = WebhookEndpointChanged(endpoint_id="e1", name="b", url=URL, events=("risk.*",), sources=("risk",))


def shown(folder: Path, *events: Event) -> dict[str, Any]:
    engine, logs = database(f"sqlite:///{folder}/gateway.db"), Logs()
    fold(engine, [logs.record(event) for event in events])
    with engine.connect() as connection:
        return dict(connection.execute(sa.select(webhook_endpoints)).mappings().one())


def at(second: int) -> str:
    return to_text(NOW.replace(second=second))


def test_a_new_one_is_enabled_and_gets_events_from_then_on(tmp_path: Path) -> None:
    row = shown(tmp_path, REGISTERED)
    assert (row["status"], row["generation"], row["former_until"]) == ("enabled", 1, None)
    assert (row["since"], row["registered_at"]) == ({"order": at(1)}, at(1))


def test_what_a_change_adds_it_gets_from_the_change_on(tmp_path: Path) -> None:
    assert shown(tmp_path, REGISTERED, CHANGED)["since"] == {"order": at(1), "risk": at(2)}


def test_what_a_change_leaves_out_begins_anew_when_it_comes_back(tmp_path: Path) -> None:
    assert shown(tmp_path, REGISTERED, CHANGED, NARROWED, CHANGED)["since"] == {"order": at(4), "risk": at(2)}


def test_a_rotation_shows_until_when_the_former_secret_signs(tmp_path: Path) -> None:
    row = shown(tmp_path, REGISTERED, WebhookSecretRotated(endpoint_id="e1", generation=2, former_until=NOW))
    assert (row["generation"], row["former_until"]) == (2, at(0))


def test_why_it_is_disabled_is_shown_until_it_is_enabled(tmp_path: Path) -> None:
    disabled = WebhookEndpointDisabled(endpoint_id="e1", name="a", reason="failing")
    (tmp_path / "1").mkdir()
    row = shown(tmp_path / "1", REGISTERED, disabled)
    assert (row["status"], row["reason"], row["changed_at"]) == ("disabled", "failing", at(2))
    row = shown(tmp_path, REGISTERED, disabled, WebhookEndpointEnabled(endpoint_id="e1"))
    assert (row["status"], row["reason"], row["changed_at"]) == ("enabled", None, at(3))


def test_a_removed_one_is_remembered_as_such(tmp_path: Path) -> None:
    assert shown(tmp_path, REGISTERED, WebhookEndpointRemoved(endpoint_id="e1"))["status"] == "removed"
