"""A private Prometheus: on loopback, with the configuration and the alerts of `deploy/observability`."""

from __future__ import annotations

import json
import re
import signal
from collections.abc import Sequence
from pathlib import Path

import httpx

from deploy.local import packages
from deploy.local.places import place, write_private
from deploy.local.ports import HOST
from deploy.local.processes import Account, Process, launch, unprivileged
from deploy.local.server import Server
from deploy.local.waiting import InfrastructureError

_FILES = Path(__file__).parents[1] / "observability"
_INTERVAL = re.compile(r"^(  (?:scrape|evaluation)_interval): .*$", re.MULTILINE)


class Prometheus(Server):
    """Debian's Prometheus. It scrapes what it is aimed at, and again after each start."""

    name = "prometheus"
    port_names = ("http",)
    users = ("prometheus",)
    stop_signal = signal.SIGTERM

    def __init__(self, var: Path, *, every_seconds: int = 15) -> None:
        super().__init__(var)
        self._every = every_seconds

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.ports['http']}"

    def aim(self, job: str, addresses: Sequence[str]) -> None:
        """Scrape these, each host:port, as `job`: kameng or rabbitmq."""
        account = unprivileged(*self.users)
        targets = place(self._folder, account) / "targets"
        targets.mkdir(exist_ok=True)
        account.own(targets)
        write_private(targets / f"{job}-local.json", json.dumps([{"targets": list(addresses)}]), account)

    def _launch(self, folder: Path, account: Account) -> Process:
        programs = packages.prometheus_programs()
        if programs is None:
            raise InfrastructureError("the programs of Prometheus are not installed")
        settings = _INTERVAL.sub(rf"\1: {self._every}s", (_FILES / "prometheus.yml").read_text(encoding="utf-8"))
        write_private(folder / "prometheus.yml", settings, account)
        write_private(folder / "alerts.yml", (_FILES / "alerts.yml").read_text(encoding="utf-8"), account)
        command = [
            str(programs / "prometheus"),
            f"--config.file={folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address={HOST}:{self.ports['http']}",
        ]
        return launch(command, account=account, directory=folder, environment={"HOME": str(folder)}, log=self.log)

    def _answers(self) -> bool:
        try:
            return httpx.get(f"{self.url}/-/ready", timeout=2).is_success
        except httpx.TransportError:
            return False
