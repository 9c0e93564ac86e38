"""Private PostgreSQL and RabbitMQ, as real servers: one folder, taken through its life from test to test."""

from __future__ import annotations

import os
import signal
import socket
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

from deploy.local import infrastructure
from deploy.local.amqp import can_log_in
from deploy.local.infrastructure import AMQP_VARIABLE, POSTGRES_VARIABLE, Infrastructure, InfrastructureError
from deploy.local.places import ELSEWHERE, place
from deploy.local.ports import Ports, is_free
from deploy.local.processes import Process, unprivileged
from deploy.local.server import Server
from deploy.local.waiting import until
from tests.deploy.machine import exposed, owner, shown


@pytest.fixture(scope="module")
def var() -> Iterator[Path]:
    """A folder whose path is too long for the sockets of Unix."""
    with tempfile.TemporaryDirectory(prefix="kameng-") as made:
        Path(made).chmod(0o755)  # pytest's own folders are closed to the users that servers run as
        folder = Path(made) / ("long" * 30) / "cluster"
        yield folder
        infrastructure.down(folder)


@pytest.fixture(scope="module")
def servers(var: Path) -> Infrastructure:
    """Both servers, from nothing, without Docker and without addresses from outside."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv(POSTGRES_VARIABLE, raising=False)
        patch.delenv(AMQP_VARIABLE, raising=False)
        patch.setattr(infrastructure, "engine_answers", lambda: False)
        assert infrastructure.find(var) is None
        return infrastructure.up(var, print)


def controls(servers: Infrastructure) -> tuple[Server, Server]:
    assert servers.postgres
    assert servers.rabbitmq
    return servers.postgres, servers.rabbitmq


def processes(servers: Infrastructure) -> list[Process]:
    return [process for server in controls(servers) for process in server.processes()]


def connect(url: str) -> psycopg.Connection:
    return psycopg.connect(url.replace("+psycopg", "", 1), connect_timeout=5)


def setting(servers: Infrastructure, name: str) -> str | None:
    with connect(servers.postgres_url) as database:
        row = database.execute("SELECT current_setting(%s)", [name]).fetchone()
    return row[0] if row else None


def password(url: str) -> str:
    found = urlsplit(url).password
    assert found
    return found


def test_both_take_their_user_and_nobody_else(servers: Infrastructure) -> None:
    assert setting(servers, "is_superuser") == "on"
    assert can_log_in(servers.amqp_url)

    assert not can_log_in(servers.amqp_url.replace(password(servers.amqp_url), "guessed"))
    assert not can_log_in(f"amqp://guest:guest@127.0.0.1:{urlsplit(servers.amqp_url).port}/")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        connect(servers.postgres_url.replace(password(servers.postgres_url), "guessed"))


def test_a_commit_is_on_disk(servers: Infrastructure) -> None:
    assert {setting(servers, name) for name in ("fsync", "synchronous_commit", "full_page_writes")} == {"on"}


def test_a_second_up_uses_what_runs(servers: Infrastructure, var: Path) -> None:
    first = [server.processes()[0] for server in controls(servers)]
    messages: list[str] = []

    again = infrastructure.up(var, messages.append)

    assert (again.postgres_url, again.amqp_url) == (servers.postgres_url, servers.amqp_url)
    assert [server.processes()[0] for server in controls(again)] == first
    assert messages == []
    found = infrastructure.find(var)
    assert found
    assert (found.postgres_url, found.amqp_url) == (servers.postgres_url, servers.amqp_url)


def test_they_listen_on_loopback_only(servers: Infrastructure) -> None:
    ports = [port for server in controls(servers) for port in server.ports.all()]

    assert len(ports) == 5
    assert [port for port in ports if is_free(port)] == []
    assert [port for port in ports if exposed(port)] == []


def test_neither_runs_as_root(servers: Infrastructure) -> None:
    owners = {owner(process.pid) for process in processes(servers)} - {None}

    assert owners
    assert 0 not in owners


def test_passwords_are_in_no_log_and_no_process_list(servers: Infrastructure, var: Path) -> None:
    secrets = [password(servers.postgres_url), password(servers.amqp_url)]
    with pytest.raises(psycopg.Error, match="already exists"), connect(servers.postgres_url) as database:
        database.execute(f"CREATE ROLE kameng PASSWORD '{secrets[0]}'".encode())

    logs = [log.read_text() for log in var.glob("*.log")]
    listed = [shown(process.pid) for process in processes(servers)]

    assert "already exists" in "".join(logs)
    assert "beam.smp" in "".join(listed)
    assert [secret for secret in secrets for text in [repr(servers), *logs, *listed] if secret in text] == []


def test_passwords_are_for_their_owner_only(servers: Infrastructure, var: Path) -> None:
    files = [*(var / "secrets").iterdir(), var / "rabbitmq/rabbitmq.conf", var / "rabbitmq/.erlang.cookie"]

    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    assert not (var / "postgres/password").exists()


def test_a_frozen_server_is_silent_until_thawed(servers: Infrastructure) -> None:
    postgres, rabbitmq = controls(servers)

    postgres.freeze()
    rabbitmq.freeze()

    assert (postgres.running, rabbitmq.running) == (True, True)
    assert not can_log_in(servers.amqp_url, seconds=0.3)
    postgres.thaw()
    rabbitmq.thaw()
    assert can_log_in(servers.amqp_url)
    assert setting(servers, "is_superuser") == "on"


def test_a_broker_killed_from_outside_takes_its_helpers_along(servers: Infrastructure) -> None:
    _, rabbitmq = controls(servers)
    broker, *helpers = rabbitmq.processes()

    broker.signal(signal.SIGKILL)

    assert helpers
    assert until(lambda: not any(process.alive for process in helpers), 10)
    assert until(lambda: not rabbitmq.running, 10)


def test_what_was_committed_outlives_a_kill(servers: Infrastructure) -> None:
    with connect(servers.postgres_url) as database:
        database.execute("CREATE TABLE kept AS SELECT 7 AS number")
    postgres, rabbitmq = controls(servers)
    killed = postgres.processes()

    postgres.kill()

    assert (postgres.running, rabbitmq.running) == (False, False), "the broker was killed before"
    assert [process for process in killed if process.alive] == []
    postgres.start()
    rabbitmq.start()
    with connect(servers.postgres_url) as database:
        assert database.execute("SELECT number FROM kept").fetchone() == (7,)
    assert can_log_in(servers.amqp_url)


def test_a_wiped_broker_comes_back_empty_with_the_same_address_and_password(servers: Infrastructure, var: Path) -> None:
    _, rabbitmq = controls(servers)
    mark = var / "rabbitmq/mnesia/mark"
    mark.touch()
    killed = rabbitmq.processes()

    rabbitmq.wipe()

    assert not rabbitmq.running
    assert [process for process in killed if process.alive] == []
    rabbitmq.start()
    assert not mark.exists()
    assert can_log_in(servers.amqp_url)


def test_down_stops_everything_and_leaves_no_process(servers: Infrastructure, var: Path) -> None:
    infrastructure.up(var, print)
    stopped = processes(servers)

    infrastructure.down(var)

    assert len(stopped) > len(controls(servers))
    assert [process for process in stopped if process.alive] == []
    assert [port for server in controls(servers) for port in server.ports.taken()] == []
    assert infrastructure.find(var) is None


def test_a_start_that_fails_says_why_and_leaves_nothing(servers: Infrastructure, var: Path) -> None:
    postgres, _ = controls(servers)
    postgres.stop()
    (var / "postgres/data/global/pg_control").write_bytes(b"")

    with pytest.raises(InfrastructureError, match=r"(?s)postgres ended while it was starting.*pg_control"):
        postgres.start()

    assert not postgres.running


def test_a_server_does_not_start_where_a_stranger_listens(servers: Infrastructure, var: Path) -> None:
    postgres, _ = controls(servers)
    (port,) = postgres.ports.all()

    with socket.create_server(("127.0.0.1", port)):
        with pytest.raises(InfrastructureError, match=f"somebody else listens on .{port}"):
            postgres.start()
        postgres.ports.settle()

    assert postgres.ports.all() != [port]


def test_ports_are_remembered_and_not_among_those_of_clients(tmp_path: Path) -> None:
    ports = Ports(tmp_path / "ports", ("one", "two"))

    ports.settle()

    low, high = map(int, Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split())
    assert [port for port in ports.all() if low <= port <= high] == []
    assert Ports(tmp_path / "ports", ("one", "two")).all() == ports.all()
    assert ports["one"] != ports["two"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs servers as somebody else")
def test_a_folder_that_the_servers_user_cannot_reach_becomes_a_link(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with tempfile.TemporaryDirectory() as reachable:
        Path(reachable).chmod(0o755)
        monkeypatch.setattr("deploy.local.places.ELSEWHERE", Path(reachable) / ELSEWHERE.name)
        account = unprivileged("nobody")

        real = place(tmp_path / "closed", account)

        assert real.is_relative_to(reachable)
        assert real.stat().st_uid == account.uid
        assert place(tmp_path / "closed", account) == real


def test_given_servers_are_used_and_never_stopped(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(POSTGRES_VARIABLE, "postgresql+psycopg://a:b@db.example:5432/postgres")
    monkeypatch.setenv(AMQP_VARIABLE, "amqp://a:b@mq.example:5672/")

    given = infrastructure.up(tmp_path, print)

    assert given.where == "given by the environment"
    assert (given.postgres, given.rabbitmq) == (None, None)
    assert infrastructure.find(tmp_path) == given
    assert list(tmp_path.iterdir()) == []


def test_one_given_address_without_the_other_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(POSTGRES_VARIABLE, "postgresql+psycopg://a:b@db.example:5432/postgres")
    monkeypatch.delenv(AMQP_VARIABLE, raising=False)

    with pytest.raises(InfrastructureError, match="both"):
        infrastructure.up(tmp_path, print)
