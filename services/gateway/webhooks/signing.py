"""Signs webhooks (https://www.standardwebhooks.com). Each endpoint's secret is derived, and never stored."""

from __future__ import annotations

from base64 import b64encode
from datetime import datetime

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from standardwebhooks import Webhook as Signer

from shared.security.secrets import Secrets

SECRET = "webhook-endpoints"  # noqa: S105 - a name
LENGTH = 32
TYPE = "application/cloudevents+json"


def endpoint_secret(secrets: Secrets, endpoint_id: str, generation: int) -> str:
    """An endpoint's signing secret, as `whsec_` and base64; generations count from 1."""
    info = f"kameng webhook endpoint\n{endpoint_id}\n{generation}".encode()
    derived = HKDF(SHA256(), LENGTH, salt=None, info=info).derive(secrets.get(SECRET))
    return f"whsec_{b64encode(derived).decode()}"


def generations(newest: int, former_until: datetime | None, now: datetime) -> tuple[int, ...]:
    """The generations whose secrets sign now, the newest first."""
    overlaps = former_until is not None and now < former_until
    return (newest, newest - 1) if overlaps else (newest,)


def headers(
    secrets: Secrets, endpoint_id: str, signing: tuple[int, ...], event_id: str, now: datetime, body: str
) -> dict[str, str]:
    """The headers of one attempt. `webhook-id` is the same in each attempt of an event; the timestamp is new."""
    signatures = [
        Signer(endpoint_secret(secrets, endpoint_id, generation)).sign(event_id, now, body) for generation in signing
    ]
    return {
        "content-type": TYPE,
        "user-agent": "kameng",
        "webhook-id": event_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": " ".join(signatures),
    }
