"""Secrets of endpoints, and signatures that a receiver's library accepts."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from services.gateway.webhooks.signing import endpoint_secret, generations, headers
from shared.security.secrets import Secrets

BODY = '{"specversion": "1.0"}'


@pytest.fixture
def secrets(tmp_path: Path) -> Secrets:
    return Secrets(tmp_path)


def test_each_endpoint_and_generation_has_a_secret_of_its_own(secrets: Secrets, tmp_path: Path) -> None:
    made = {endpoint_secret(secrets, one, generation) for one in ("e1", "e2", "e1\n1") for generation in (1, 2, 11)}
    assert len(made) == 9
    assert endpoint_secret(Secrets(tmp_path), "e1", 1) in made
    assert all(len(base64.b64decode(secret.removeprefix("whsec_"))) == 32 for secret in made)


def test_two_installations_share_no_secret(secrets: Secrets, tmp_path: Path) -> None:
    assert endpoint_secret(secrets, "e1", 1) != endpoint_secret(Secrets(tmp_path / "other"), "e1", 1)


@pytest.mark.parametrize("generation", [2, 3])
def test_while_secrets_overlap_a_receiver_may_have_either(secrets: Secrets, generation: int) -> None:
    now = datetime.now(UTC)
    signing = generations(3, now + timedelta(seconds=1), now)
    signed = headers(secrets, "e1", signing, "event-1", now, BODY)
    assert Webhook(endpoint_secret(secrets, "e1", generation)).verify(BODY, signed) == {"specversion": "1.0"}


def test_after_that_only_the_new_one_signs(secrets: Secrets) -> None:
    now = datetime.now(UTC)
    signed = headers(secrets, "e1", generations(3, now, now), "event-1", now, BODY)
    assert Webhook(endpoint_secret(secrets, "e1", 3)).verify(BODY, signed)
    with pytest.raises(WebhookVerificationError):
        Webhook(endpoint_secret(secrets, "e1", 2)).verify(BODY, signed)


def test_an_endpoint_that_was_never_rotated_signs_once(secrets: Secrets) -> None:
    assert generations(1, None, datetime.now(UTC)) == (1,)
