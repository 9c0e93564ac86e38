"""`kameng cluster`: what was started is found again, and nothing else is taken for it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import sqlalchemy as sa
from typer.testing import CliRunner, Result

from cli import cluster, clustering
from cli.__main__ import app
from cli.clustering import Cluster, processes, start_cluster
from cli.started import (
    Started,
    identify,
    left_over,
    running,
    started,
)
from deploy.local.infrastructure import Infrastructure, InfrastructureError
from deploy.local.processes import Process
from tests.waiting import PATIENCE, wait_for

URLS = {"order": "postgresql://order", "gateway": "postgresql://gateway"}
SLEEP = "import time; time.sleep(600)"
Sleeper = subprocess.Popen[bytes]


def kameng(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["cluster", *arguments], env={"COLUMNS": "200"})


@pytest.fixture
def sleepers() -> Iterator[tuple[Sleeper, Sleeper]]:
    """Two processes that do nothing."""
    one, other = (subprocess.Popen(["sleep", "600"]) for _ in range(2))
    yield one, other
    for process in (one, other):
        process.kill()
        process.wait()


def write(var: Path, **found: Process) -> None:
    Started("http://127.0.0.1:8000", found).write(var)


def stranger(process: Sleeper) -> Process:
    """What was recorded of a process that ended, whose number another one has by now."""
    return Process(process.pid, identify(process.pid).started - 1)


def test_what_was_started_is_found_again(tmp_path: Path, sleepers: tuple[Sleeper, Sleeper]) -> None:
    one, other = sleepers
    write(tmp_path, one=identify(one.pid), other=identify(other.pid))
    other.kill()
    other.wait()

    left = started(tmp_path)

    assert left is not None
    assert left.address == "http://127.0.0.1:8000"
    assert left.ended() == ["other"]


def test_one_that_ended_by_itself_is_named(tmp_path: Path, sleepers: tuple[Sleeper, Sleeper]) -> None:
    one, other = sleepers
    write(tmp_path, one=identify(one.pid), other=identify(other.pid))
    assert kameng("status", "--var", str(tmp_path)).exit_code == 0

    other.kill()
    other.wait()
    result = kameng("status", "--var", str(tmp_path))

    assert result.exit_code == 1
    assert "ended by itself: other;" in result.stderr


def test_a_later_process_of_the_same_number_is_left_alone(tmp_path: Path, sleepers: tuple[Sleeper, Sleeper]) -> None:
    ours, other = sleepers
    write(tmp_path, ours=identify(ours.pid), gone=stranger(other))

    result = kameng("down", "--var", str(tmp_path))

    assert result.exit_code == 0
    assert "1 processes ended" in result.stdout
    assert ours.wait(PATIENCE) == -signal.SIGTERM
    assert other.poll() is None
    assert started(tmp_path) is None


def test_a_cluster_at_work_is_not_started_again(tmp_path: Path, sleepers: tuple[Sleeper, Sleeper]) -> None:
    write(tmp_path, ours=identify(sleepers[0].pid), gone=stranger(sleepers[1]))

    result = kameng("up", "--var", str(tmp_path))

    assert result.exit_code == 1
    assert "runs in" in result.stderr


def test_after_a_crash_of_the_machine_it_is_started_again(
    tmp_path: Path, sleepers: tuple[Sleeper, Sleeper], monkeypatch: pytest.MonkeyPatch
) -> None:
    def begins(*_: object, **__: object) -> None:
        raise InfrastructureError("it begins")

    monkeypatch.setattr(cluster, "start_cluster", begins)
    write(tmp_path, gone=stranger(sleepers[0]))

    result = kameng("up", "--var", str(tmp_path), "--port", "0")

    assert "it begins" in result.stderr


@pytest.fixture
def begun(monkeypatch: pytest.MonkeyPatch) -> dict[str, Mapping[str, str]]:
    """A cluster whose servers answer at once and whose processes are only described: each one's environment."""
    found: dict[str, Mapping[str, str]] = {}
    monkeypatch.setattr(clustering.infrastructure, "up", lambda *_: Infrastructure("postgresql://a/b", "amqp://c", "x"))
    monkeypatch.setattr(clustering, "migrate_service", lambda *_: [])
    monkeypatch.setattr(clustering, "rebuild_outdated", lambda *_: [])
    monkeypatch.setattr(clustering, "database_of", lambda *_: sa.make_url("postgresql+psycopg://a/b"))
    monkeypatch.setattr(clustering, "_wait_until_ready", lambda _: None)
    monkeypatch.setattr(Cluster, "start", lambda self, name: found.update({name: self.described[name].environment}))
    return found


@pytest.mark.parametrize(
    ("given", "added", "expected"),
    [
        ({}, {}, "http://127.0.0.1:9"),
        ({"KAMENG_PUBLIC_URL": "https://shop.example"}, {}, "https://shop.example"),
        ({"KAMENG_PUBLIC_URL": "https://shop.example"}, {"KAMENG_PUBLIC_URL": "http://demo"}, "http://demo"),
    ],
)
def test_the_public_address_of_the_environment_is_kept(
    tmp_path: Path,
    begun: dict[str, Mapping[str, str]],
    monkeypatch: pytest.MonkeyPatch,
    given: Mapping[str, str],
    added: Mapping[str, str],
    expected: str,
) -> None:
    monkeypatch.delenv("KAMENG_PUBLIC_URL", raising=False)
    for name, value in given.items():
        monkeypatch.setenv(name, value)

    start_cluster(["order", "gateway"], tmp_path, 9, lambda _: None, added)

    assert {environment["KAMENG_PUBLIC_URL"] for environment in begun.values()} == {expected}


def test_what_was_begun_is_ended_when_it_does_not_come_up(
    tmp_path: Path, begun: dict[str, Mapping[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(_: Cluster) -> None:
        raise KeyboardInterrupt

    ended: list[Cluster] = []
    monkeypatch.setattr(clustering, "_wait_until_ready", interrupted)
    monkeypatch.setattr(Cluster, "stop", lambda self: ended.append(self))

    with pytest.raises(KeyboardInterrupt):
        start_cluster(["order", "gateway"], tmp_path, 9, lambda _: None, {})

    assert begun
    assert len(ended) == 1


@pytest.mark.parametrize(("publish", "kinds"), [(False, set[str]()), (True, {"order-publisher", "gateway-publisher"})])
def test_publishers_are_started_when_asked_for(tmp_path: Path, publish: bool, kinds: set[str]) -> None:
    found = {one.name: one for one in processes(["order", "gateway"], URLS, "amqp://", tmp_path, 1, publish=publish)}

    assert {name for name in found if "publisher" in name} == kinds
    assert len({one.environment.get("KAMENG_HEALTH_FILE") for one in found.values()}) == len(found)
    assert os.path.basename(found["order-log-server"].environment["KAMENG_HEALTH_FILE"]) == "order-log-server.health"


@pytest.mark.parametrize("webhooks", [False, True])
def test_what_posts_webhooks_is_started_when_asked_for(tmp_path: Path, webhooks: bool) -> None:
    found = {one.name: one for one in processes(["order", "gateway"], URLS, "amqp://", tmp_path, 1, webhooks=webhooks)}

    assert ("gateway-webhooks" in found) is webhooks
    if webhooks:
        assert found["gateway-webhooks"].environment["KAMENG_DATABASE_URL"] == URLS["gateway"]


def test_of_two_starts_at_once_one_says_that_it_does_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[Result] = []

    def slow(*_: object, **__: object) -> None:
        begun.append(kameng("up", "--var", str(tmp_path), "--port", "0"))
        begun.append(kameng("down", "--var", str(tmp_path)))
        raise InfrastructureError("enough")

    monkeypatch.setattr("cli.cluster.start_cluster", slow)
    first = kameng("up", "--var", str(tmp_path), "--port", "0")
    assert [one.exit_code for one in begun] == [1, 1]
    assert all("another command starts or ends the cluster" in one.output.replace("\n", " ") for one in begun)
    assert "enough" in first.output


def test_what_was_started_is_found(tmp_path: Path, sleepers: tuple[Sleeper, Sleeper]) -> None:
    assert running(tmp_path) is None
    write(tmp_path, ours=identify(sleepers[0].pid))
    found = running(tmp_path)
    assert found is not None
    assert (found.address, list(found.processes), found.astray) == ("http://127.0.0.1:8000", ["ours"], frozenset())


def test_what_a_start_that_broke_off_has_left_is_found_and_ended(tmp_path: Path) -> None:
    (tmp_path / "cli.py").write_text("import time\ntime.sleep(600)\n")
    var = tmp_path / "var"
    var.mkdir()
    environment = {**os.environ, "KAMENG_AMQP_URL": "amqp://nowhere", "PYTHONPATH": str(tmp_path)}
    left = [
        subprocess.Popen([sys.executable, *command], env={**environment, "KAMENG_VAR": str(folder)}, cwd=tmp_path)
        for command, folder in (
            (["-m", "cli", "gateway", "--port", "8123"], var),
            (["-m", "cli"], tmp_path),
            (["-c", "import time; time.sleep(600)"], var),
        )
    ]
    try:
        wait_for(lambda: left_over(var) and left_over(tmp_path))
        assert [one.pid for one in left_over(var).values()] == [left[0].pid]
        result = kameng("status", "--var", str(var))
        assert result.exit_code == 1
        assert f"process {left[0].pid} gateway --port" in result.stdout
        assert "the start of 1 of them broke off" in result.stderr.replace("\n", " ")
        found = running(var)
        assert found is not None
        assert (found.address, found.ended()) == ("http://127.0.0.1:8123", [])
        refused = kameng("up", "--var", str(var), "--port", "0")
        assert "processes of an earlier start" in refused.output.replace("\n", " ")
        ended = kameng("down", "--var", str(var))
        assert "1 processes ended" in ended.output
        assert running(var) is None
        assert left[0].wait(PATIENCE) == -signal.SIGTERM
        assert [one.poll() for one in left[1:]] == [None, None]
    finally:
        for one in left:
            one.kill()
            one.wait()


def test_its_processes_keep_what_they_compile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    (tmp_path / "logs").mkdir()
    command = (sys.executable, "-c", "import sys; print(sys.dont_write_bytecode)")
    asked = Cluster(tmp_path, "", {}, {"asked": clustering.Process("asked", command, {})})

    asked.start("asked")

    assert asked.running["asked"].wait(PATIENCE) == 0
    assert asked.printed("asked") == "False\n"
