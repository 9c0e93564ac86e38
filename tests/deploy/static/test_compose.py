"""docker-compose.yml runs every process, says what it lacks, and is pinned and closed as the manifests are."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from cli.__main__ import COMMANDS
from cli.common import HTTP_END_SECONDS
from cli.secrets import compose
from shared.eventstore.engines import CONNECTING
from shared.runtime.cluster import broker_connection, leader_session
from shared.runtime.settings import Settings
from tests.deploy.composed import ROOT, Unset, composed, variables, wanted
from tests.deploy.static.built import of_kind

FILES = ("docker-compose.yml", "deploy/local/docker-compose.yml", "deploy/local/servers.yml")
PLACE = {"var", "host", "port"}


@pytest.fixture(scope="module")
def env(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("compose")
    compose(folder / "var", folder / ".env")
    return variables((folder / ".env").read_text())


@pytest.fixture(scope="module")
def services(env: dict[str, str]) -> dict[str, Any]:
    return composed(env)


@pytest.fixture(scope="module")
def ours(services: dict[str, Any]) -> dict[str, Any]:
    return {name: one for name, one in services.items() if one["image"].startswith("kameng:")}


def test_it_is_valid() -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", *FILES]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_it_says_what_to_do_when_nothing_is_set() -> None:
    with pytest.raises(Unset, match="kameng secrets compose"):
        composed({})


def test_every_process_runs_and_all_databases_are_migrated_before(ours: dict[str, Any]) -> None:
    assert ours.keys() == {*wanted(), "migrate"}
    for name, one in ours.items():
        kind = name.partition("-")[2]
        assert one["command"][0] in {entry.name for entry in COMMANDS}
        assert one["command"] == {
            "writer": ["run", name.partition("-")[0]],
            "http": ["gateway"],
            "webhooks": ["webhooks"],
            "": ["migrate"],
        }.get(kind, [kind, name.partition("-")[0]])
        after = {"postgres"} if name == "migrate" else {"migrate", "rabbitmq"}
        assert one["depends_on"].keys() == after


def test_writers_and_the_gateway_are_given_every_setting(ours: dict[str, Any]) -> None:
    settings = {f"KAMENG_{field.upper()}" for field in Settings.model_fields if field not in PLACE}

    for name, one in ours.items():
        given = {variable for variable in one["environment"] if variable in settings}
        assert given == (settings if name.endswith(("-writer", "-http", "-webhooks")) else set()), name


def test_only_writers_the_gateway_and_migrations_see_secrets(ours: dict[str, Any], env: dict[str, str]) -> None:
    for name, one in ours.items():
        mounted = {mount["target"]: mount for mount in one["volumes"]}
        sees = name == "migrate" or name.endswith(("-writer", "-http", "-webhooks"))
        assert ("/var/lib/kameng/secrets" in mounted) is sees
        for target, mount in mounted.items():
            assert mount["bind"]["create_host_path"] is False, "what is missing is an error, not made by root"
            assert mount.get("read_only") or (name, target) == ("gateway-http", "/var/lib/kameng/imports")
            assert Path(mount["source"]).exists()
            assert Path(mount["source"]).is_relative_to(env["KAMENG_FOLDER"])


def test_containers_are_closed(services: dict[str, Any], ours: dict[str, Any]) -> None:
    for name, one in ours.items():
        assert one["read_only"] is True
        assert one["cap_drop"] == ["ALL"]
        assert not one["user"].startswith("0"), name
    for name, one in services.items():
        assert "no-new-privileges:true" in one["security_opt"], name
        assert all(str(port).startswith("127.0.0.1:") for port in one.get("ports", ())), name


def test_every_container_is_watched_and_has_time_to_end(services: dict[str, Any], ours: dict[str, Any]) -> None:
    slowest = (
        max(leader_session.SETTLE_SECONDS, HTTP_END_SECONDS)
        + CONNECTING["tcp_user_timeout"] / 1000
        + broker_connection.ANSWER_SECONDS
    )

    for name, one in services.items():
        assert one["healthcheck"].get("test") or name == "migrate"
        assert one["logging"]["options"]["max-size"]
    for one in ours.values():
        assert int(one["stop_grace_period"].removesuffix("s")) > slowest


def test_images_are_pinned_to_the_versions_that_kubernetes_runs(services: dict[str, Any]) -> None:
    images = {name: one["image"] for name, one in services.items()}
    (cluster, *_), (broker,) = of_kind("production", "Cluster"), of_kind("production", "RabbitmqCluster")

    assert not [image for image in images.values() if not re.search(r":v?\d+\.\d+\.?[\w.-]*$", image)]
    assert version(images["postgres"]) == version(cluster["spec"]["imageName"])
    assert version(images["rabbitmq"]) == version(broker["spec"]["image"])


def version(image: str) -> str:
    return image.rpartition(":")[2].partition("-")[0]


def test_no_password_is_in_the_files() -> None:
    for file in FILES:
        text = re.sub(r"\$\{[^}]*\}", "$", (ROOT / file).read_text())
        assert set(re.findall(r"(?:PASS|PASSWORD): +(\S+)", text)) | set(
            re.findall(r"://[^/@\s]+:([^/@\s]+)@", text)
        ) <= {"$"}


def test_prometheus_looks_at_every_process(services: dict[str, Any], ours: dict[str, Any]) -> None:
    lists = [json.loads(path.read_text()) for path in (ROOT / "deploy/compose/targets").glob("*.json")]
    targets = {target for groups in lists for one in groups for target in one["targets"]}

    ports = {name: 8000 if name == "gateway-http" else 8001 for name in ours if name != "migrate"}
    assert targets == {f"{name}:{port}" for name, port in ports.items()} | {"rabbitmq:15692"}
    assert {target.partition(":")[0] for target in targets} <= services.keys()


def test_what_containers_mount_of_this_repository_is_there(services: dict[str, Any]) -> None:
    mounted = [
        str(mount) for one in services.values() for mount in one.get("volumes", ()) if str(mount).startswith("./")
    ]

    assert mounted
    assert [mount for mount in mounted if not (ROOT / mount.partition(":")[0]).exists()] == []
