"""Importing keys through the API: rows read, sealed, loaded into stock, and shown by the read models."""

from __future__ import annotations

import csv
import time
from collections.abc import Callable
from pathlib import Path

import httpx

from cli.started import processor_seconds
from tests.bench.measures import Row, Section
from tests.bench.shop import embedded_shop, resident_bytes

SKUS, PATIENCE_SECONDS = 20, 1_800
OnProgress = Callable[[str], None]


def measure(var: Path, keys: int, progress: OnProgress) -> Section:
    """One CSV file of so many keys, uploaded to the embedded host: everything is one process there."""
    with embedded_shop(var / "imported", SKUS, SKUS, 1, progress) as shop:
        (pid,) = shop.processes().values()
        file = _file(var / "keys.csv", shop.skus, keys)
        before, used = resident_bytes(pid)[0], processor_seconds(pid)
        progress(f"importing {keys} keys")
        started = time.perf_counter()
        with file.open("rb") as content:
            report = httpx.post(
                f"{shop.address}/v1/imports/keys",
                files={"file": (file.name, content)},
                headers={"Authorization": f"Bearer {shop.operations}"},
                timeout=PATIENCE_SECONDS,
            )
        seconds = time.perf_counter() - started
        counts = report.raise_for_status().json()["counts"]
        if counts.get("loaded") != keys:
            raise RuntimeError(f"not every key was loaded: {counts}")
        row: Row = {
            "keys": keys,
            "file MB": round(file.stat().st_size / 1e6, 1),
            "seconds": round(seconds, 1),
            "keys/s": round(keys / seconds),
            "processor ms a key": round((processor_seconds(pid) - used) / keys * 1e3, 4),
            "MB before": round(before / 1e6),
            "peak MB": round(resident_bytes(pid)[1] / 1e6),
        }
    return Section("Import of keys", [row], "From upload to the answer, when the read models show all of them.")


def _file(path: Path, skus: list[str], keys: int) -> Path:
    with path.open("w", newline="") as target:
        writer = csv.writer(target)
        writer.writerow(("sku", "key"))
        writer.writerows((skus[number % len(skus)], f"IMPORTED-{number:012d}") for number in range(keys))
    return path
