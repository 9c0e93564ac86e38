"""`kameng secrets`: makes all secrets, and writes them for Compose and Kubernetes."""

from __future__ import annotations

import base64
import json
import os
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.common import (
    CLUSTER_VAR,
    Var,
    console,
    fail,
)
from cli.migrating import password_of, secret_of
from services import NAMES, read_settings
from shared.eventstore.databases import name_of
from shared.runtime.settings import Settings
from shared.security.secrets import Secrets

# Secrets that are read together. Each group is one Secret of Kubernetes.
GROUPS: Mapping[str, tuple[str, ...]] = {
    "sealing": ("fulfillment-sealing",),
    "gateway": ("tokens", "order-lookup", "blind-index"),
    "webhooks": ("webhook-endpoints",),
    "notification": ("webhook",),
    "channels": ("channel-{name}",),
    "suppliers": ("supplier-{name}",),
}
SERVERS = ("postgres", "rabbitmq", "grafana")
COMPOSE_VAR = Path("var/compose")
# The user of the image. Folders that root makes belong to it, because containers do not run as root.
IMAGE_USER = 10001

app = typer.Typer(help="What the processes must know and nobody else. 密钥。", no_args_is_help=True)


@app.command("make")
def make(var: Var = CLUSTER_VAR) -> None:
    """Make what is missing in a data folder, for the channels and suppliers that are set. 生成密钥。"""
    secrets = Secrets(var / "secrets")
    grouped = _grouped(read_settings())
    wanted = [name for names in grouped.values() for name in names] + [secret_of(name) for name in NAMES]
    made = [name for name in wanted if not (var / "secrets" / name).exists()]
    _make(secrets, wanted)
    console.print(f"{var / 'secrets'}: {', '.join(made) or 'nothing is missing 无缺失'}", soft_wrap=True)


@app.command("compose")
def compose(
    var: Var = COMPOSE_VAR,
    file: Annotated[Path, typer.Option(help="The environment file of Compose. 环境文件。")] = Path(".env"),
) -> None:
    """Make what docker-compose.yml asks for: a data folder and an environment file. 为 Compose 准备。

    Lines that the file has stay as they are; channels and suppliers that it sets get their secrets.
    """
    settings = Settings(_env_file=file)
    secrets = Secrets(var / "secrets")
    wanted = [name for names in _grouped(settings).values() for name in names] + [secret_of(name) for name in NAMES]
    _make(secrets, [*wanted, *SERVERS])
    (var / "imports").mkdir(mode=0o700, exist_ok=True)
    passwords = [f"postgres:5432:*:{name_of(name)}:{password_of(name, secrets)}\n" for name in NAMES]
    _write(var / "pgpass", "".join(passwords))
    is_root = os.getuid() == 0
    user, group = (IMAGE_USER, IMAGE_USER) if is_root else (os.getuid(), os.getgid())
    if is_root:
        for path in (var, *var.rglob("*")):
            os.chown(path, user, group)
    variables = {
        "KAMENG_FOLDER": str(var.absolute()),
        "KAMENG_UID": str(user),
        "KAMENG_GID": str(group),
        "KAMENG_PUBLIC_URL": "http://127.0.0.1:8000",
        "KAMENG_USER": "kameng",
        "KAMENG_POSTGRES_PASSWORD": secrets.text("postgres"),
        "KAMENG_AMQP_PASSWORD": secrets.text("rabbitmq"),
        "KAMENG_GRAFANA_PASSWORD": secrets.text("grafana"),
    }
    before = file.read_text() if file.exists() else ""
    known = {line.partition("=")[0].strip() for line in before.splitlines()}
    missing = {name: value for name, value in variables.items() if name not in known}
    if before and not before.endswith("\n"):
        before += "\n"
    _write(file, before + "".join(f"{name}={value}\n" for name, value in missing.items()))
    summary = f"{var} and {file} are ready 已就绪; {len(missing)} variables added. Now: docker compose up --wait"
    console.print(summary, soft_wrap=True)


@app.command("kubernetes")
def kubernetes(
    var: Var = CLUSTER_VAR,
    namespace: Annotated[str, typer.Option(help="Where they go. 命名空间。")] = "kameng",
) -> None:
    """Print them as Secrets, for `kubectl apply -f -`; never to a terminal. 输出 Kubernetes Secret。

    Makes what is missing in the data folder, which has to be kept: it is the only copy outside the cluster.
    """
    if _is_seen():
        fail("this prints secrets: pipe it into `kubectl apply -f -`.", code=2)
    secrets = Secrets(var / "secrets")
    groups = {
        f"kameng-{group}": {name: secrets.get(name) for name in names}
        for group, names in _grouped(read_settings()).items()
        if names
    }
    databases = {
        f"{name}-database": {"username": name_of(name).encode(), "password": password_of(name, secrets).encode()}
        for name in NAMES
    }
    items = [_secret(name, namespace, "Opaque", data) for name, data in groups.items()]
    items += [_secret(name, namespace, "kubernetes.io/basic-auth", data) for name, data in databases.items()]
    sys.stdout.write(json.dumps({"apiVersion": "v1", "kind": "List", "items": items}, indent=1) + "\n")


def _is_seen() -> bool:
    return sys.stdout.isatty()


def _grouped(settings: Settings) -> dict[str, list[str]]:
    """The names of every group, for the channels and suppliers that are set."""
    partners = {"channels": settings.channels, "suppliers": settings.suppliers}
    return {
        group: [pattern.format(name=name) for pattern in patterns for name in partners.get(group, ("",))]
        for group, patterns in GROUPS.items()
    }


def _make(secrets: Secrets, names: Iterable[str]) -> None:
    for name in names:
        secrets.get(name)


def _secret(name: str, namespace: str, kind: str, data: Mapping[str, bytes]) -> dict[str, Any]:
    encoded = {key: base64.b64encode(value).decode() for key, value in data.items()}
    labels = {"app.kubernetes.io/part-of": "kameng"}
    metadata = {"name": name, "namespace": namespace, "labels": labels}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": kind, "data": encoded}


def _write(path: Path, text: str) -> None:
    """Replace a file that only its owner may read."""
    draft = path.with_name(f".{path.name}.draft")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    draft.rename(path)
