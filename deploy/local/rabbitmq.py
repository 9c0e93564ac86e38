"""A private RabbitMQ: on loopback, with a node name, cookie, user and port mapper of its own."""

from __future__ import annotations

import signal
from pathlib import Path

from deploy.local import packages
from deploy.local.amqp import can_log_in
from deploy.local.places import write_private
from deploy.local.ports import HOST
from deploy.local.processes import Account, Process, launch
from deploy.local.server import USER, Server
from deploy.local.waiting import InfrastructureError
from shared.security.secrets import Secrets

# Erlang's port mapper (epmd) is our own, on a port of its own, and dies with the server. Left to itself, Erlang would
# start one that belongs to nobody, or use one that answers to somebody else.
_WITH_EPMD = """
setpriv --pdeathsig KILL epmd &
until epmd -names >/dev/null 2>&1; do kill -0 $! || exit 1; done
exec "$@"
"""
_NODE = "kameng@localhost"
_SETTINGS = """
listeners.tcp.1 = {host}:{port}
default_user = {user}
default_pass = {password}
log.connection.level = warning
prometheus.tcp.ip = {host}
prometheus.tcp.port = {metrics}
"""
# A dead letter whose transfer from queue to queue went astray is transferred again after 10 s, not after 3 minutes.
_ERLANG = "-kernel inet_dist_use_interface {127,0,0,1} -rabbit dead_letter_worker_publisher_confirm_timeout 10000"
# Names are never asked of a resolver: a machine may not know its own.
_NAMES = """
{lookup, [file]}.
{host, {127,0,0,1}, ["localhost"]}.
"""


class RabbitMQ(Server):
    """RabbitMQ with its Prometheus plugin alone; the URL's user may do everything."""

    name = "rabbitmq"
    port_names = ("amqp", "distribution", "epmd", "metrics")
    users = ("rabbitmq",)
    stop_signal = signal.SIGTERM

    @property
    def url(self) -> str:
        return f"amqp://{USER}:{self._password}@{HOST}:{self.ports['amqp']}/"

    def remembers(self, queue: str) -> bool:
        """Whether its disk tells which log is this quorum queue's.

        RabbitMQ writes that down some time after the queue is declared. Killed before, it begins an empty log that gets
        no leader, and the queue neither takes nor gives.
        """
        names = self._folder / "mnesia" / _NODE / "quorum" / _NODE / "names.dets"
        return names.exists() and f"_{queue}".encode() in names.read_bytes()

    def _launch(self, folder: Path, account: Account) -> Process:
        server = packages.rabbitmq_server()
        if server is None:
            raise InfrastructureError("the programs of RabbitMQ are not installed")
        settings = _SETTINGS.format(
            host=HOST, port=self.ports["amqp"], metrics=self.ports["metrics"], user=USER, password=self._password
        )
        cookie = Secrets(self._var / "secrets").text("rabbitmq-cookie")
        write_private(folder / "rabbitmq.conf", settings, account)
        write_private(folder / ".erlang.cookie", cookie, account)
        write_private(folder / "enabled_plugins", "[rabbitmq_prometheus].\n", account)
        write_private(folder / "names", _NAMES, account)
        command = ["sh", "-c", _WITH_EPMD, "with-epmd", str(server)]
        return launch(command, account=account, directory=folder, environment=self._environment(folder), log=self.log)

    def _environment(self, folder: Path) -> dict[str, str]:
        return {
            "HOME": str(folder),
            "ERL_EPMD_ADDRESS": HOST,
            "ERL_EPMD_PORT": str(self.ports["epmd"]),
            "ERL_INETRC": str(folder / "names"),
            "RABBITMQ_NODENAME": _NODE,
            "RABBITMQ_DIST_PORT": str(self.ports["distribution"]),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": _ERLANG,
            "RABBITMQ_CONF_ENV_FILE": str(folder / "none"),
            "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
            "RABBITMQ_ADVANCED_CONFIG_FILE": str(folder / "none"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "enabled_plugins"),
            "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
            "RABBITMQ_LOG_BASE": str(folder),
            "RABBITMQ_LOGS": "-",
            "RUNNING_UNDER_SYSTEMD": "true",  # or a shell stays between us and the server
        }

    def _answers(self) -> bool:
        return can_log_in(self.url)
