"""Data that the version of kernel_0002 wrote: a small shop's seven SQLite files, as that version left them.

It sold 16 orders over HTTP on every path (wallet, channel, tiers, top-ups, fail-over, hand-over, refunds whole and in
part, a replacement, a late payment), with expired keys, an amount in yen stored as hundredths, and logins, targets and
list entries in spellings that have another canonical form. Its secrets are made here, as they were for it, so that its
keys open.
"""

from __future__ import annotations

import hashlib
import tarfile
from pathlib import Path

ARCHIVE = Path(__file__).with_name("first.tar.xz")
REVISIONS = {"kernel": 2, "gateway": 2}  # the last of each branch then; 1 of the others
SECRETS = (
    "channel-sandbox-pay",
    "fulfillment-sealing",
    "supplier-alpha",
    "supplier-beta",
    "webhook",
    "tokens",
    "order-lookup",
    "blind-index",
    "webhook-endpoints",
)
PASSWORD = "long enough 1"
AMY, AMY_SPACED, BOB = "amy@example.com", "amy@example.com ", "Bob@Example.com"
ORDERS = {
    "wallet": "9c3a3487-1c77-58d5-aa10-3c9c6d686eba",
    "late": "71ead99a-2768-5b85-9804-d72e580b77fa",
    "handover": "93fff0c4-c911-5ec2-944b-b1041ee2f721",
    "paid-refunded": "0d352333-cfe9-5082-a1bd-a1e9427b8adc",
    "paid-partly-refunded": "abe8c818-71bc-5e72-91ea-a8d92894b8b7",
}
FIRST_KEY = "G10-0000"  # the first that the order "wallet" got


def unpack(var: Path) -> Path:
    """The folder as the older version left it."""
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(var, filter="data")
    secrets = var / "secrets"
    secrets.mkdir(mode=0o700, exist_ok=True)
    for name in SECRETS:
        (secrets / name).write_bytes(hashlib.sha256(f"secret {name} of the tests".encode()).digest())
    return var
