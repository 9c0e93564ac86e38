"""Detached server processes: start them, find them again, signal their whole tree. Linux: reads /proc."""

from __future__ import annotations

import contextlib
import os
import pwd
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from deploy.local.waiting import InfrastructureError, until, with_tail

SEARCH_PATH = f"/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:{os.environ.get('PATH', '')}"
# The shell says its number before it becomes the server; `setsid --fork` leaves it to init, so that it outlives us.
_DETACH = ("setsid", "--fork", "sh", "-c", 'echo $$; exec "$@" >&2', "launch")


@dataclass(frozen=True)
class Account:
    """The user that servers run as; `None` for the one we are."""

    uid: int | None = None
    gid: int | None = None

    def own(self, path: Path | int) -> None:
        """Give a file or folder, named or open, to this user."""
        if self.uid is not None and self.gid is not None:
            os.chown(path, self.uid, self.gid)


def unprivileged(*preferred: str) -> Account:
    """Ourselves, unless we are root: then the first of the preferred users that exists, or else nobody."""
    if os.geteuid() != 0:
        return Account()
    known = {user.pw_name: user for user in pwd.getpwall()}
    user = next(known[name] for name in (*preferred, "nobody") if name in known)
    return Account(user.pw_uid, user.pw_gid)


@dataclass(frozen=True)
class Process:
    """A process, told from a later one of the same number by the moment of its start (in ticks since boot)."""

    pid: int
    started: int

    @property
    def alive(self) -> bool:
        stat = _stat(self.pid)
        return stat is not None and stat.started == self.started and not stat.ended

    def tree(self) -> list[Process]:
        """This process and all that descend from it, parents first; empty when it is gone."""
        if not self.alive:
            return []
        table = {pid: stat for pid in _pids() if (stat := _stat(pid))}
        members: list[Process] = [self]
        for member in members:
            members += [Process(pid, stat.started) for pid, stat in table.items() if stat.parent == member.pid]
        return members

    def signal(self, number: signal.Signals) -> None:
        """Send a signal, if it still lives."""
        if self.alive:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)


def freeze(root: Process) -> list[Process]:
    """Stop the whole tree in its tracks, parents first, until nothing new appears. Gives its members."""
    stopped: list[Process] = []
    while new := [member for member in root.tree() if member not in stopped]:
        for member in new:
            member.signal(signal.SIGSTOP)
        stopped += new
    return stopped


def kill(members: Sequence[Process]) -> None:
    """SIGKILL all of them and wait until they are gone."""
    for member in members:
        member.signal(signal.SIGKILL)
    if not until(lambda: not any(member.alive for member in members), 10):
        raise InfrastructureError(f"processes {[member.pid for member in members if member.alive]} can't be killed")


def run(
    command: Sequence[str],
    *,
    account: Account = Account(),
    directory: Path | None = None,
    environment: Mapping[str, str] | None = None,
    log: Path,
    seconds: float = 60,
) -> str:
    """Run to the end as a user. Gives its standard output; the rest goes to the log. Raises InfrastructureError."""
    with log.open("ab") as out:
        try:
            done = subprocess.run(  # noqa: S603 - our own command
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=out,
                cwd=directory,
                env={"PATH": SEARCH_PATH, "LC_ALL": "C.UTF-8", **(environment or {})},
                user=account.uid,
                group=account.gid,
                extra_groups=None if account.uid is None else [],
                timeout=seconds,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise InfrastructureError(with_tail(f"{command[0]} did not end in {seconds:g} s", log)) from None
    if done.returncode:
        raise InfrastructureError(with_tail(f"{command[0]} ended with code {done.returncode}", log))
    return done.stdout.decode()


def launch(
    command: Sequence[str], *, account: Account, directory: Path, environment: Mapping[str, str], log: Path
) -> Process:
    """Start a server in a session of its own that outlives us; all its output goes to the log."""
    pid = int(run([*_DETACH, *command], account=account, directory=directory, environment=environment, log=log))
    stat = _stat(pid)
    if stat is None:
        raise InfrastructureError(with_tail(f"{command[0]} ended at once", log))
    return Process(pid, stat.started)


@dataclass(frozen=True)
class _Stat:
    state: str
    parent: int
    threads: int
    started: int

    @property
    def ended(self) -> bool:
        """Whether its last thread has: the first one may be a zombie while others still hold the ports."""
        return self.state in "ZX" and self.threads <= 1


def _stat(pid: int) -> _Stat | None:
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = text[text.rindex(")") + 2 :].split()  # the name before it may hold anything
    return _Stat(state=fields[0], parent=int(fields[1]), threads=int(fields[17]), started=int(fields[19]))


def _pids() -> list[int]:
    return [int(entry) for entry in os.listdir("/proc") if entry.isdigit()]
