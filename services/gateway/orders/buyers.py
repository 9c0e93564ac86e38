"""The buyer's secret of each order. It is derived and never stored, and its key pair opens the order's deliveries."""

from __future__ import annotations

import hmac
import json
from base64 import b32encode
from functools import lru_cache
from hashlib import sha256

from shared.security.sealing import KeyPair, Opener, keypair_from_secret
from shared.security.secrets import Secrets

LENGTH = 32  # base32 characters: 160 bits


def order_secret(secrets: Secrets, order_id: str) -> str:
    """The secret of an order. The order need not exist."""
    digest = hmac.new(secrets.get("order-lookup"), order_id.encode(), sha256).digest()
    return b32encode(digest).decode().lower()[:LENGTH]


def is_secret_of(secrets: Secrets, order_id: str, secret: str) -> bool:
    """Whether this is the order's secret. The comparison takes the same time either way."""
    return hmac.compare_digest(
        order_secret(secrets, order_id).encode(), secret.strip().lower().encode(errors="replace")
    )


def buyer_key(secrets: Secrets, order_id: str) -> str:
    """The public key that the order's deliveries are sealed to."""
    return _keypair(order_secret(secrets, order_id)).public


def open_envelope(secrets: Secrets, order_id: str, delivery_id: str, envelope: str) -> list[str]:
    """The key texts of a delivery. Raises CannotOpen for an envelope that is not this delivery's."""
    opener = Opener(_keypair(order_secret(secrets, order_id)).private)
    return json.loads(opener.open(envelope, delivery_id))


# An order's deliveries are mostly read soon after it was placed.
@lru_cache(maxsize=10_000)
def _keypair(secret: str) -> KeyPair:
    return keypair_from_secret(secret)
