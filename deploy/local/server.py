"""One private server process: started detached, awaited until it really answers, stopped, killed, frozen, wiped."""

from __future__ import annotations

import shutil
import signal
from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar

from deploy.local.places import place
from deploy.local.ports import Ports
from deploy.local.processes import Account, Process, freeze, kill, unprivileged
from deploy.local.waiting import InfrastructureError, until, with_tail
from shared.security.secrets import Secrets

START_SECONDS = 120.0
STOP_SECONDS = 30.0
USER = "kameng"


class Server(ABC):
    """A server whose files are under `var`: its folder, `<name>.log`, `<name>.pid`, `<name>.ports`.

    Its controls raise InfrastructureError, with the end of the server's log, when it does not do as it is told.
    """

    name: ClassVar[str]
    port_names: ClassVar[tuple[str, ...]]
    users: ClassVar[tuple[str, ...]]
    stop_signal: ClassVar[signal.Signals]

    def __init__(self, var: Path) -> None:
        self._var = var.absolute()
        self.log = self._var / f"{self.name}.log"
        self.ports = Ports(self._var / f"{self.name}.ports", self.port_names)
        self._pid_file = self._var / f"{self.name}.pid"
        self._folder = self._var / self.name

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self._var)!r})"

    @property
    @abstractmethod
    def url(self) -> str:
        """Where it listens, with user and password."""

    @property
    def running(self) -> bool:
        """Whether its process lives, frozen or not."""
        return (process := self._process()) is not None and process.alive

    @property
    def made(self) -> bool:
        """Whether it was ever started here."""
        return self.ports.known

    def processes(self) -> list[Process]:
        """Its process and all that descend from it, the first one first; empty when it does not run."""
        process = self._process()
        return process.tree() if process else []

    def up(self) -> None:
        """Start it unless it runs; it moves to other ports when strangers took the ones it had."""
        if not self.running:
            self.ports.settle()
        self.start()

    def start(self) -> None:
        """Start it unless it runs, with empty data if it has none, and return when it answers."""
        if self.running:
            self._await_answer()
            return
        if taken := self.ports.taken():
            raise InfrastructureError(f"{self.name} can't start: somebody else listens on {taken}")
        account = unprivileged(*self.users)
        process = self._launch(place(self._folder, account), account)
        self._pid_file.write_text(f"{process.pid} {process.started}\n")
        try:
            self._await_answer()
        except InfrastructureError:
            self.kill()
            raise

    def stop(self) -> None:
        """Shut it down in good order; returns when it and all its processes are gone."""
        self.thaw()
        if (process := self._process()) is None:
            return
        members = process.tree()
        process.signal(self.stop_signal)
        in_order = until(lambda: not process.alive, STOP_SECONDS)
        kill(members)
        if not in_order:
            raise InfrastructureError(with_tail(f"{self.name} did not stop in {STOP_SECONDS:g} s: killed", self.log))

    def kill(self) -> None:
        """SIGKILL it and all its processes at once, as a power failure would."""
        if (process := self._process()) is not None:
            kill(freeze(process))

    def freeze(self) -> None:
        """SIGSTOP it and all its processes: connections stay open and nothing answers."""
        if (process := self._process()) is not None:
            freeze(process)

    def thaw(self) -> None:
        """Let it go on after `freeze`."""
        for member in self.processes():
            member.signal(signal.SIGCONT)

    def wipe(self) -> None:
        """Kill it and empty its disk; the next start makes everything anew, with the same address and password."""
        self.kill()
        if self._folder.exists():
            for entry in self._folder.resolve().iterdir():
                shutil.rmtree(entry) if entry.is_dir() else entry.unlink()

    @property
    def _password(self) -> str:
        return Secrets(self._var / "secrets").text(self.name)

    def _process(self) -> Process | None:
        if not self._pid_file.exists():
            return None
        pid, started = self._pid_file.read_text().split()
        return Process(int(pid), int(started))

    def _await_answer(self) -> None:
        if until(lambda: not self.running or self._answers(), START_SECONDS) and self.running:
            return
        ended = "does not answer" if self.running else "ended while it was starting"
        raise InfrastructureError(with_tail(f"{self.name} {ended}", self.log))

    @abstractmethod
    def _launch(self, folder: Path, account: Account) -> Process:
        """Make what is missing in its folder and start the process."""

    @abstractmethod
    def _answers(self) -> bool:
        """Whether one can log in."""
