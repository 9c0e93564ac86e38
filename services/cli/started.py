"""What `kameng cluster up` leaves running, and how to find it again."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from deploy.local.processes import Process

FILE, LOCK = "processes.json", "cluster.lock"


class Busy(RuntimeError):
    """The folder's processes are being started or ended by somebody else."""


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


@contextmanager
def alone(var: Path) -> Iterator[None]:
    """Have the starting and ending of this folder's processes to oneself. Raises Busy when another process is at it."""
    var.mkdir(mode=0o711, parents=True, exist_ok=True)
    handle = os.open(var / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Busy(f"another command starts or ends the cluster in {var} at this moment") from None
        yield
    finally:
        os.close(handle)


def left_over(var: Path) -> dict[str, Process]:
    """The processes of the platform that run on this folder, whoever started them and however that ended, by a name."""
    folder = str(var.absolute())
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and _works_on(entry, folder):
            with suppress(ProcessLookupError):
                found[f"process {entry.name}"] = identify(int(entry.name))
    return found


def _works_on(process: Path, folder: str) -> bool:
    try:
        command = (process / "cmdline").read_bytes().split(b"\0")
        environment = (process / "environ").read_bytes().split(b"\0")
    except OSError:  # another user's, or gone
        return False
    is_ours = command[1:2] == [b"-m"] and command[2:3] in ([b"services"], [b"shared.hosting.cluster"])
    told = {b"KAMENG_VAR=" + os.fsencode(folder)} <= set(environment)
    return is_ours and told and any(one.startswith(b"KAMENG_AMQP_URL=") for one in environment)


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
