"""What `kameng cluster up` leaves running, and how to find it again."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from deploy.local.processes import Process

FILE = "processes.json"


@dataclass(frozen=True)
class Started:
    """The address of the API, and each process by its name."""

    address: str
    processes: Mapping[str, Process]

    def ended(self) -> list[str]:
        """The names of those that no longer run; a later process of the same number is another."""
        return [name for name, process in self.processes.items() if not process.alive]

    def write(self, var: Path) -> None:
        """Keep it in the cluster's folder."""
        told = {"address": self.address, "processes": {name: asdict(one) for name, one in self.processes.items()}}
        draft = var / f"{FILE}.draft"
        draft.write_text(json.dumps(told))
        draft.rename(var / FILE)


def started(var: Path) -> Started | None:
    """What was started in this folder and not ended by `kameng cluster down`."""
    try:
        told = json.loads((var / FILE).read_text())
    except FileNotFoundError:
        return None
    return Started(told["address"], {name: Process(**one) for name, one in told["processes"].items()})


def forget(var: Path) -> None:
    """Nothing is started in this folder any more."""
    (var / FILE).unlink(missing_ok=True)


def identify(pid: int) -> Process:
    """A running process, to be told from a later one of the same number. Raises ProcessLookupError."""
    return Process(pid, int(_stat(pid)[19]))


def processor_seconds(pid: int) -> float:
    """User and system time of a process and of its children that ended; 0 for one that is gone."""
    try:
        used = _stat(pid)[11:15]
    except ProcessLookupError:
        return 0.0
    return sum(map(int, used)) / os.sysconf("SC_CLK_TCK")


def _stat(pid: int) -> list[str]:
    """What the kernel tells of a process, from its state on: proc(5) counts that as field 3."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        raise ProcessLookupError(f"no process {pid}") from None
    return text.rpartition(")")[2].split()
