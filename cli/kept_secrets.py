"""Checks that a folder has the secret that its keys were sealed with."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from shared.security.sealing import CannotOpen, Opener, keypair_from_secret

# Keys in stock and sold keys are sealed with it. A start makes missing secrets.
SEALING = "fulfillment-sealing"


def lost_secrets(var: Path) -> str:
    """A message about a folder that has events but lacks the secret that opens keys; empty if all is well.

    A start would make another secret, and sell keys that nobody can open.
    """
    if (var / "secrets" / SEALING).exists() or not any(map(_has_events, sorted(var.glob("*.sqlite3")))):
        return ""
    return (
        f"{var / 'secrets' / SEALING} is missing: without it no key in stock, and none that was sold, can be opened. "
        "Restore the folder secrets from a backup 请从备份恢复 secrets 目录"
    )


def unfit_secrets(var: Path) -> str:
    """A message about a folder whose secret does not open the keys that were loaded last; empty if all is well."""
    if lost := lost_secrets(var):
        return lost
    loaded = _last_loaded(var / "inventory.sqlite3")
    if loaded is None:
        return ""
    file = var / "secrets" / SEALING
    try:
        Opener(keypair_from_secret(file.read_bytes()).private).open(loaded["keys"][0]["box"], context=loaded["sku"])
    except CannotOpen:
        return (
            f"{file} does not open the keys that were loaded last: it is not the secret that they were sealed with. "
            "Restore the folder secrets from a backup 请从备份恢复 secrets 目录"
        )
    except OSError as error:
        return f"{file} can't be read: {error.strerror}"
    return ""


def _last_loaded(file: Path) -> dict[str, Any] | None:
    """The data of the latest KeysLoaded that can be read."""
    found = "SELECT data FROM log WHERE type LIKE 'KeysLoaded.%' ORDER BY position DESC LIMIT 1"
    with suppress(sqlite3.Error, ValueError), closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as connection:
        row = connection.execute(found).fetchone()
        return json.loads(row[0]) if row else None
    return None


def _has_events(file: Path) -> bool:
    with suppress(sqlite3.Error), closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as connection:
        return connection.execute("SELECT 1 FROM log LIMIT 1").fetchone() is not None
    return False
