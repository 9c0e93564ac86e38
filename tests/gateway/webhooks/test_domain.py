"""A webhook endpoint's life."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from services.gateway.webhooks.domain import EndpointState, decide_webhook_endpoint, evolve_webhook_endpoint
from shared.contracts import Command, Decided, DecisionContext, Event, Metadata, Refused
from shared.contracts.gateway import (
    ChangeWebhookEndpoint,
    DisableWebhookEndpoint,
    EnableWebhookEndpoint,
    RegisterWebhookEndpoint,
    RemoveWebhookEndpoint,
    RotateWebhookSecret,
    WebhookEndpointChanged,
    WebhookEndpointDisabled,
    WebhookEndpointEnabled,
    WebhookEndpointRegistered,
    WebhookEndpointRemoved,
    WebhookSecretRotated,
)

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
URL = "https://hooks.example.com/kameng"
REGISTER = RegisterWebhookEndpoint(endpoint_id="e1", name="shop", url=URL, events=("order.*",))
REGISTERED = WebhookEndpointRegistered(endpoint_id="e1", name="shop", url=URL, events=("order.*",), sources=("order",))
DISABLED = WebhookEndpointDisabled(endpoint_id="e1", name="shop", reason="failing")
REMOVED = WebhookEndpointRemoved(endpoint_id="e1")


def decided(given: Sequence[Event], command: Command) -> Decided:
    state = EndpointState()
    for event in given:
        state = evolve_webhook_endpoint(state, event)
    meta = Metadata(correlation_id="c", causation_id="c")
    made = decide_webhook_endpoint(command, state, DecisionContext(NOW, "c", meta))
    return made if isinstance(made, Decided) else Decided(made)


def then(given: Sequence[Event], command: Command) -> list[Event]:
    return list(decided(given, command).events)


def test_it_is_registered_with_the_services_that_its_filter_concerns() -> None:
    assert then([], REGISTER) == [REGISTERED]


def test_a_filter_that_fits_no_event_is_refused() -> None:
    with pytest.raises(Refused) as refused:
        then([], REGISTER.model_copy(update={"events": ("order.*", "order.OrderPlacd")}))
    assert (refused.value.code, refused.value.facts) == ("unknown-events", {"pattern": "order.OrderPlacd"})


def test_it_is_registered_once() -> None:
    with pytest.raises(Refused, match="webhook-exists"):
        then([REGISTERED], REGISTER)


def test_a_change_keeps_what_it_does_not_name() -> None:
    change = ChangeWebhookEndpoint(endpoint_id="e1", events=("order.*", "ledger.Payment*"))
    (changed,) = then([REGISTERED], change)
    assert changed == WebhookEndpointChanged(
        endpoint_id="e1", name="shop", url=URL, events=("order.*", "ledger.Payment*"), sources=("ledger", "order")
    )
    assert then([REGISTERED, changed], change) == []


def test_each_rotation_is_a_new_generation_and_the_former_signs_for_a_while() -> None:
    rotate = RotateWebhookSecret(endpoint_id="e1", overlap_seconds=3_600)
    first = decided([REGISTERED], rotate)
    assert first.events == [WebhookSecretRotated(endpoint_id="e1", generation=2, former_until=NOW + timedelta(hours=1))]
    assert first.answer == {"generation": 2}
    assert decided([REGISTERED, *first.events], rotate).answer == {"generation": 3}


def test_it_is_disabled_and_enabled_once_each() -> None:
    disable = DisableWebhookEndpoint(endpoint_id="e1", reason="failing")
    enable = EnableWebhookEndpoint(endpoint_id="e1")
    assert then([REGISTERED], disable) == [DISABLED]
    assert then([REGISTERED, DISABLED], disable) == []
    assert then([REGISTERED], enable) == []
    assert then([REGISTERED, DISABLED], enable) == [WebhookEndpointEnabled(endpoint_id="e1")]


@pytest.mark.parametrize("reason", ["failing", "gone"])
def test_a_dispatcher_that_is_late_is_not_refused(reason: str) -> None:
    late = DisableWebhookEndpoint.model_validate({"endpoint_id": "e1", "reason": reason})
    assert then([REGISTERED, REMOVED], late) == []
    assert then([], late) == []


@pytest.mark.parametrize(
    "command",
    [
        ChangeWebhookEndpoint(endpoint_id="e1", name="new"),
        RotateWebhookSecret(endpoint_id="e1", overlap_seconds=0),
        EnableWebhookEndpoint(endpoint_id="e1"),
        DisableWebhookEndpoint(endpoint_id="e1", reason="asked"),
        RemoveWebhookEndpoint(endpoint_id="e1"),
    ],
    ids=lambda command: type(command).__name__,
)
@pytest.mark.parametrize("given", [[], [REGISTERED, REMOVED]], ids=["unknown", "removed"])
def test_what_is_not_there_is_unknown(given: list[Event], command: Command) -> None:
    with pytest.raises(Refused) as refused:
        then(given, command)
    assert (refused.value.code, refused.value.status) == ("unknown-webhook", 404)


def test_its_id_is_not_given_again() -> None:
    with pytest.raises(Refused, match="webhook-exists"):
        then([REGISTERED, REMOVED], REGISTER)
