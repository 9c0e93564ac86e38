"""A private PostgreSQL: on loopback, with a password, set as durable as in production."""

from __future__ import annotations

import shutil
import signal
from pathlib import Path

import psycopg

from deploy.local import packages
from deploy.local.places import write_private
from deploy.local.ports import HOST
from deploy.local.processes import Account, Process, launch, run
from deploy.local.server import USER, Server
from deploy.local.waiting import InfrastructureError

# Unix sockets are off: their paths may not be longer than 107 bytes, and `var` may be anywhere.
# A failing statement is not logged: it may hold a password.
_SETTINGS = """
include 'data/postgresql.conf'
listen_addresses = '{host}'
port = {port}
unix_socket_directories = ''
max_connections = 200
password_encryption = 'scram-sha-256'

shared_buffers = '256MB'
effective_cache_size = '1GB'
work_mem = '8MB'
maintenance_work_mem = '128MB'
random_page_cost = 1.1
jit = off

fsync = on
full_page_writes = on
synchronous_commit = on
min_wal_size = '256MB'
max_wal_size = '2GB'
checkpoint_timeout = '15min'
checkpoint_completion_target = 0.9

log_destination = 'stderr'
logging_collector = off
log_line_prefix = '%m [%p] %u@%d '
log_min_error_statement = panic
"""


class Postgres(Server):
    """PostgreSQL; the URL's user is its superuser."""

    name = "postgres"
    port_names = ("postgres",)
    users = ("postgres",)
    stop_signal = signal.SIGINT  # "fast": open sessions are ended, the data is flushed

    @property
    def url(self) -> str:
        return f"postgresql+psycopg://{USER}:{self._password}@{HOST}:{self.ports['postgres']}/postgres"

    def kill(self) -> None:
        running = self.running
        super().kill()
        if running:
            # It names a process that may stay a zombie for a while, which PostgreSQL takes for a server still at work.
            (self._folder / "data" / "postmaster.pid").unlink(missing_ok=True)

    def _launch(self, folder: Path, account: Account) -> Process:
        data = folder / "data"
        version = data / "PG_VERSION"
        programs = packages.postgres_programs(version.read_text().strip() if version.exists() else None)
        if programs is None:
            raise InfrastructureError("the programs of PostgreSQL are not installed")
        if not data.exists():
            self._create(folder, programs, account).rename(data)
        settings = folder / "kameng.conf"
        write_private(settings, _SETTINGS.format(host=HOST, port=self.ports["postgres"]), account)
        command = [str(programs / "postgres"), "-D", str(data), "-c", f"config_file={settings}"]
        return launch(command, account=account, directory=folder, environment={}, log=self.log)

    def _create(self, folder: Path, programs: Path, account: Account) -> Path:
        """The data of a new server, not yet at its place, so that a start broken off leaves nothing half made."""
        draft, password = folder / "draft", folder / "password"
        shutil.rmtree(draft, ignore_errors=True)
        write_private(password, self._password + "\n", account)
        command = [str(programs / "initdb"), "-D", str(draft), "-U", USER, "--pwfile", str(password)]
        options = ["-A", "scram-sha-256", "-E", "UTF8", "--locale=C.UTF-8"]
        try:
            run([*command, *options], account=account, directory=folder, log=self.log)
        finally:
            password.unlink()
        return draft

    def _answers(self) -> bool:
        try:
            with psycopg.connect(self.url.replace("+psycopg", "", 1), connect_timeout=2):
                return True
        except psycopg.OperationalError:
            return False
