"""The secrets of a folder, without which what is stored in it can't be read."""

from __future__ import annotations

import sqlite3
from contextlib import closing, suppress
from pathlib import Path

# The goods in stock and those sold are sealed with it; each start makes what is missing.
SEALING = "fulfillment-sealing"


def lost_secrets(var: Path) -> str:
    """What to say of a folder that holds events, and no secret to open goods with; empty when there is nothing to say.

    A start would make another one, and sell what nobody can open.
    """
    if (var / "secrets" / SEALING).exists() or not any(map(_has_events, sorted(var.glob("*.sqlite3")))):
        return ""
    return (
        f"{var / 'secrets' / SEALING} is missing: without it no key in stock, and none that was sold, can be opened. "
        "Restore the folder secrets from a backup 请从备份恢复 secrets 目录"
    )


def _has_events(file: Path) -> bool:
    with suppress(sqlite3.Error), closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as connection:
        return connection.execute("SELECT 1 FROM log LIMIT 1").fetchone() is not None
    return False
