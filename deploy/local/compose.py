"""PostgreSQL and RabbitMQ in containers, where a Docker engine answers.

Not covered by the tests where no engine runs.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

from deploy.local.amqp import can_log_in
from deploy.local.places import write_private
from deploy.local.ports import HOST, Ports
from deploy.local.processes import Account, run
from deploy.local.server import START_SECONDS, USER
from deploy.local.waiting import InfrastructureError, until, with_tail
from shared.security.secrets import Secrets

ENGINE_SECONDS = 5
PULL_SECONDS = 900
_FILE = Path(__file__).parent / "docker-compose.yml"


def engine_answers() -> bool:
    """Whether there is a Docker with Compose whose engine answers soon."""
    if shutil.which("docker") is None:
        return False
    return all(_succeeds(*arguments) for arguments in (("info",), ("compose", "version")))


class Compose:
    """The containers of one `var`: ports and passwords are remembered there, the data is in volumes."""

    def __init__(self, var: Path) -> None:
        self._var = var.absolute()
        self._ports = Ports(self._var / "compose.ports", ("postgres", "amqp"))
        self._log = self._var / "compose.log"
        self._environment = self._var / "compose.env"

    @property
    def made(self) -> bool:
        """Whether they were ever started here."""
        return self._ports.known

    @property
    def running(self) -> bool:
        """Whether both containers run."""
        names = self._compose("ps", "--services", "--status", "running").split() if self.made else []
        return {"postgres", "rabbitmq"} <= set(names)

    @property
    def postgres_url(self) -> str:
        password = self._secrets.text("postgres")
        return f"postgresql+psycopg://{USER}:{password}@{HOST}:{self._ports['postgres']}/postgres"

    @property
    def amqp_url(self) -> str:
        return f"amqp://{USER}:{self._secrets.text('rabbitmq')}@{HOST}:{self._ports['amqp']}/"

    def up(self) -> None:
        """Start what does not run and return when both answer."""
        if not self.running:
            self._ports.settle()
            self._write_environment()
            self._compose("up", "--detach", "--wait", seconds=PULL_SECONDS)
        if not until(lambda: can_log_in(self.amqp_url), START_SECONDS):
            raise InfrastructureError(with_tail("rabbitmq does not answer", self._log))

    def stop(self) -> None:
        """Stop the containers; their data stays."""
        if self.made:
            self._compose("stop", seconds=120)

    @property
    def _secrets(self) -> Secrets:
        return Secrets(self._var / "secrets")

    def _write_environment(self) -> None:
        values = {
            "KAMENG_USER": USER,
            "KAMENG_POSTGRES_PASSWORD": self._secrets.text("postgres"),
            "KAMENG_POSTGRES_PORT": self._ports["postgres"],
            "KAMENG_AMQP_PASSWORD": self._secrets.text("rabbitmq"),
            "KAMENG_AMQP_PORT": self._ports["amqp"],
        }
        text = "".join(f"{name}={value}\n" for name, value in values.items())
        write_private(self._environment, text, Account())

    def _compose(self, *arguments: str, seconds: float = 60) -> str:
        project = f"kameng-{hashlib.sha256(str(self._var).encode()).hexdigest()[:12]}"
        files = ["--file", str(_FILE), "--env-file", str(self._environment)]
        command = ["docker", "compose", "--project-name", project, *files, *arguments]
        return run(command, environment=dict(os.environ), log=self._log, seconds=seconds)


def _succeeds(*arguments: str) -> bool:
    try:
        asked = subprocess.run(["docker", *arguments], capture_output=True, timeout=ENGINE_SECONDS, check=False)  # noqa: S603, S607
    except subprocess.TimeoutExpired:
        return False
    return asked.returncode == 0
