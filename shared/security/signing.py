"""HMAC signatures over a time and a body, for messages between the shop, its channels and suppliers."""

from __future__ import annotations

import hashlib
import hmac
from datetime import datetime

TIMESTAMP_HEADER = "Kameng-Timestamp"
SIGNATURE_HEADER = "Kameng-Signature"


def sign(secret: bytes, timestamp: int, body: bytes) -> str:
    """`v1=` and the hex HMAC-SHA256 of `<timestamp>.<body>`; `timestamp` is in Unix seconds."""
    return "v1=" + hmac.new(secret, b"%d." % timestamp + body, hashlib.sha256).hexdigest()


def verify(
    secret: bytes, timestamp: int, body: bytes, signature: str, now: datetime, tolerance_seconds: int = 300
) -> bool:
    """Whether the signature fits and was made within `tolerance_seconds` of now; takes the same time either way."""
    fits = hmac.compare_digest(sign(secret, timestamp, body).encode(), signature.encode(errors="replace"))
    return fits and abs(int(now.timestamp()) - timestamp) <= tolerance_seconds
