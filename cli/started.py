"""Records the processes that `kameng cluster up` leaves running, and finds them again."""

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
# The last two are those of the version before, whose processes may still run.
MODULES = ([b"cli"], [b"shared.runtime.cluster"], [b"services"], [b"shared.hosting.cluster"])


class Busy(RuntimeError):
    """Another command starts or ends the folder's processes."""


@dataclass(frozen=True)
class Started:
    """The address of the API, empty where no gateway is among them, and each process by its name. `astray` names those
    that no start recorded to its end."""

    address: str
    processes: Mapping[str, Process]
    astray: frozenset[str] = frozenset()

    def ended(self) -> list[str]:
        """The names of the processes that no longer run. A later process with the same pid is another one."""
        return [name for name, process in self.processes.items() if not process.alive]

    def write(self, var: Path) -> None:
        """Write it to the cluster's folder."""
        record = {"address": self.address, "processes": {name: asdict(one) for name, one in self.processes.items()}}
        draft = var / f"{FILE}.draft"
        draft.write_text(json.dumps(record))
        draft.rename(var / FILE)


def started(var: Path) -> Started | None:
    """What was started in this folder and not ended by `kameng cluster down`."""
    try:
        record = json.loads((var / FILE).read_text())
    except FileNotFoundError:
        return None
    return Started(record["address"], {name: Process(**one) for name, one in record["processes"].items()})


@contextmanager
def alone(var: Path) -> Iterator[None]:
    """Lock the starting and ending of this folder's processes. Raises Busy when another command holds the lock."""
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


def running(var: Path) -> Started | None:
    """The processes of `started`, and those that are `left_over`. None without any."""
    recorded, left = started(var), dict(_left_over(var))
    known = {process.pid for process in recorded.processes.values() if process.alive} if recorded else set[int]()
    astray = {name: one for name, one in left.items() if one.process.pid not in known}
    if recorded is None and not astray:
        return None
    addresses = [one.address for one in astray.values() if one.address] or [recorded.address if recorded else ""]
    processes = {name: one.process for name, one in astray.items()}
    return Started(addresses[0], {**(recorded.processes if recorded else {}), **processes}, frozenset(astray))


def left_over(var: Path) -> dict[str, Process]:
    """All processes of the platform that run on this folder, by a name, however they were started."""
    return {name: one.process for name, one in _left_over(var)}


@dataclass(frozen=True)
class _Left:
    """A process of the platform. `address` is that of the API if it is the gateway."""

    process: Process
    address: str


def _left_over(var: Path) -> Iterator[tuple[str, _Left]]:
    folder = str(var.absolute())
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (words := _words_on(entry, folder)):
            has_port = words[:2] == ["gateway", "--port"] and len(words) > 2
            address = f"http://127.0.0.1:{words[2]}" if has_port else ""
            with suppress(ProcessLookupError):
                yield " ".join(["process", entry.name, *words[:2]]), _Left(identify(int(entry.name)), address)


def _words_on(process: Path, folder: str) -> list[str]:
    """The arguments of a process of the platform that works on a folder; empty for any other process."""
    try:
        command = (process / "cmdline").read_bytes().split(b"\0")
        environment = (process / "environ").read_bytes().split(b"\0")
    except OSError:  # another user's, or gone
        return []
    is_ours = command[1:2] == [b"-m"] and command[2:3] in MODULES
    has_folder = {b"KAMENG_VAR=" + os.fsencode(folder)} <= set(environment)
    if not (is_ours and has_folder and any(one.startswith(b"KAMENG_AMQP_URL=") for one in environment)):
        return []
    return [os.fsdecode(word) for word in command[3:] if word] or [os.fsdecode(command[2])]


def forget(var: Path) -> None:
    """Delete the record of processes in this folder."""
    (var / FILE).unlink(missing_ok=True)


def identify(pid: int) -> Process:
    """A running process, distinguishable from a later one with the same number. Raises ProcessLookupError."""
    return Process(pid, int(_stat(pid)[19]))


def processor_seconds(pid: int) -> float:
    """User and system time of a process and of its children that ended; 0 for one that is gone."""
    try:
        used = _stat(pid)[11:15]
    except ProcessLookupError:
        return 0.0
    return sum(map(int, used)) / os.sysconf("SC_CLK_TCK")


def _stat(pid: int) -> list[str]:
    """The fields of a process in /proc/<pid>/stat, from its state on, which proc(5) counts as field 3."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        raise ProcessLookupError(f"no process {pid}") from None
    return text.rpartition(")")[2].split()
