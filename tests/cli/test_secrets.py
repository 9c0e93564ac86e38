"""`kameng secrets`."""

from __future__ import annotations

import base64
import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from cli.__main__ import app
from services import NAMES
from shared.security.secrets import Secrets
from tests.deploy.composed import variables
from tests.waiting import PATIENCE

CHANNELS = {"KAMENG_CHANNELS": '{"wx": {"url": "https://pay.example"}}'}


def kameng(*arguments: object, env: dict[str, str] | None = None) -> Result:
    return CliRunner().invoke(app, ["secrets", *map(str, arguments)], env=env or {})


def test_all_are_made_and_then_nothing_is_missing(tmp_path: Path) -> None:
    first, again = (kameng("make", "--var", tmp_path, env=CHANNELS) for _ in range(2))

    assert (first.exit_code, again.exit_code) == (0, 0)
    assert "nothing is missing" in again.stdout
    made = {path.name for path in (tmp_path / "secrets").iterdir()}
    databases = {f"postgres-{name}" for name in NAMES}
    own = {"fulfillment-sealing", "tokens", "order-lookup", "blind-index", "webhook", "webhook-endpoints"}
    assert made - databases == own | {"channel-wx"}
    assert databases <= made


def test_a_file_that_is_no_secret_is_refused(tmp_path: Path) -> None:
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "tokens").write_bytes(b"short")

    result = kameng("make", "--var", tmp_path)

    assert result.exit_code == 1
    assert (
        result.stderr
        == f"{tmp_path / 'secrets' / 'tokens'} is too short: a secret has 16 bytes or more, and it has 5.\n"
    )


@pytest.mark.parametrize(
    ("command", "kind", "secret"), [("serve", "SUPPLIERS", "supplier-north"), ("gateway", "CHANNELS", "channel-north")]
)
def test_nothing_starts_with_a_partners_secret_that_is_none(
    tmp_path: Path, command: str, kind: str, secret: str
) -> None:
    (tmp_path / "secrets").mkdir(mode=0o700)
    (tmp_path / "secrets" / secret).write_bytes(b"fifteen bytes..")
    nowhere = {"KAMENG_DATABASE_URL": "postgresql+psycopg://127.0.0.1:1/none", "KAMENG_AMQP_URL": "amqp://127.0.0.1:1"}
    partner = {f"KAMENG_{kind}": json.dumps({"north": {"url": "https://partner.example"}})}

    ended = subprocess.run(
        [sys.executable, "-m", "cli", command, "--port", "0"],
        env={**os.environ, **nowhere, **partner, "KAMENG_VAR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )

    assert ended.returncode == 1
    assert f"{secret} is too short" in ended.stderr
    assert "Traceback" not in ended.stdout + ended.stderr


def test_an_environment_file_is_filled_in_and_what_it_says_is_left(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("KAMENG_PUBLIC_URL=https://shop.example\n" + f"KAMENG_CHANNELS={CHANNELS['KAMENG_CHANNELS']}")

    results = [kameng("compose", "--var", tmp_path / "var", "--file", file) for _ in range(2)]

    assert [one.exit_code for one in results] == [0, 0]
    found = variables(file.read_text())
    assert found["KAMENG_PUBLIC_URL"] == "https://shop.example"
    assert found["KAMENG_POSTGRES_PASSWORD"] == Secrets(tmp_path / "var/secrets").text("postgres")
    assert len(file.read_text().splitlines()) == len(found)
    assert stat.S_IMODE(file.stat().st_mode) == stat.S_IMODE((tmp_path / "var/pgpass").stat().st_mode) == 0o600
    assert (tmp_path / "var/secrets/channel-wx").exists()
    assert found["KAMENG_UID"] != "0"
    assert {path.stat().st_uid for path in (tmp_path / "var").rglob("*")} == {int(found["KAMENG_UID"])}


def test_no_secret_is_printed_to_people(tmp_path: Path) -> None:
    results = [kameng(command, "--var", tmp_path) for command in ("make", "compose")]
    secrets = Secrets(tmp_path / "secrets")

    assert not [
        one for one in results if secrets.text("tokens") in one.output or secrets.text("postgres") in one.output
    ]


def test_kubernetes_gets_the_bytes_of_the_files_and_the_passwords_as_they_are_used(tmp_path: Path) -> None:
    result = kameng("kubernetes", "--var", tmp_path, "--namespace", "shop", env=CHANNELS)

    items = {one["metadata"]["name"]: one for one in json.loads(result.stdout)["items"]}
    secrets = Secrets(tmp_path / "secrets")
    assert {one["metadata"]["namespace"] for one in items.values()} == {"shop"}
    assert base64.b64decode(items["kameng-sealing"]["data"]["fulfillment-sealing"]) == secrets.get(
        "fulfillment-sealing"
    )
    assert base64.b64decode(items["kameng-channels"]["data"]["channel-wx"]) == secrets.get("channel-wx")
    assert "kameng-suppliers" not in items
    order = items["order-database"]
    assert order["type"] == "kubernetes.io/basic-auth"
    assert base64.b64decode(order["data"]["username"]) == b"kameng_order"
    assert base64.b64decode(order["data"]["password"]).decode() == secrets.text("postgres-order")


def test_kubernetes_refuses_a_terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cli.secrets._is_seen", lambda: True)

    result = kameng("kubernetes", "--var", tmp_path)

    assert result.exit_code == 2
    assert result.stdout == ""
    assert not (tmp_path / "secrets").exists()
