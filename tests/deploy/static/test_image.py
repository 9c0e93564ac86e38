"""The image: linted, pinned, and without what it does not need."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.deploy.static.built import ROOT, of_kind

DOCKERFILE = ROOT / "deploy/Dockerfile"
IMAGE_USER = re.compile(r"^USER (\d+):(\d+)$", re.MULTILINE)


def test_hadolint_finds_nothing() -> None:
    beside = Path(sys.executable).with_name("hadolint")
    hadolint = str(beside) if beside.exists() else shutil.which("hadolint")
    if hadolint is None:
        pytest.skip("no hadolint: deploy/Dockerfile was not linted")
    ran = subprocess.run([hadolint, "--no-color", str(DOCKERFILE)], capture_output=True, text=True, check=False)

    assert ran.returncode == 0, ran.stdout


def test_the_base_is_pinned_exactly() -> None:
    text = DOCKERFILE.read_text()
    (base,) = re.findall(r"^ARG PYTHON=(\S+)$", text, re.MULTILINE)

    assert re.fullmatch(r"python:3\.11\.\d+-slim-\w+(@sha256:[0-9a-f]{64})?", base)
    assert set(re.findall(r"^FROM (\S+)", text, re.MULTILINE)) == {"${PYTHON}"}


def test_it_is_built_with_the_uv_of_the_makefile() -> None:
    pins = [set(re.findall(r"\buv==([\d.]+)", path.read_text())) for path in (DOCKERFILE, ROOT / "Makefile")]

    assert len(pins[0]) == 1
    assert pins[0] == pins[1]


def test_all_that_is_copied_is_in_the_context_and_nothing_else() -> None:
    text = DOCKERFILE.read_text()
    copied = {name for line in re.findall(r"^COPY (?!--)(.+) \S+$", text, re.MULTILINE) for name in line.split()}
    let_in = set(re.findall(r"^!(.+)$", (ROOT / ".dockerignore").read_text(), re.MULTILINE))

    assert copied == let_in
    assert [name for name in copied if not (ROOT / name).exists()] == []


def test_its_user_is_the_one_of_the_manifests_and_of_the_folders_for_compose() -> None:
    from cli.secrets import IMAGE_USER as OWNER

    (user,) = IMAGE_USER.findall(DOCKERFILE.read_text())
    contexts = [one["spec"]["template"]["spec"]["securityContext"] for one in of_kind("production", "Deployment")]

    assert user == (str(OWNER), str(OWNER))
    assert {(one["runAsUser"], one["runAsGroup"], one["fsGroup"]) for one in contexts} == {(OWNER, OWNER, OWNER)}


def test_its_probes_answer_where_manifests_and_compose_look() -> None:
    (health,) = re.findall(r"KAMENG_HEALTH_PORT=(\d+)", DOCKERFILE.read_text())
    (http,) = re.findall(r"KAMENG_PORT=(\d+)", DOCKERFILE.read_text())
    opened = {
        port["name"]: port["containerPort"]
        for one in of_kind("production", "Deployment")
        for container in one["spec"]["template"]["spec"]["containers"]
        for port in container["ports"]
    }
    looked_at = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["x-process"]["healthcheck"]["test"][-1]

    assert opened == {"probes": int(health), "http": int(http)}
    assert f":{health}/readyz" in looked_at
