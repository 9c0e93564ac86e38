"""`kameng run`: one service of the cluster, as this process."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from services.cli.common import fail, services_of


def run(
    context: typer.Context,
    service: Annotated[str, typer.Argument(help="Whose writer. 服务名。")],
) -> None:
    """Run a service's writer, on the environment's PostgreSQL and RabbitMQ, until told to stop. 运行服务。"""
    names = [one.name for one in services_of(context)]
    if service not in names:
        fail(f"there is no service {service}: {', '.join(names)}.", code=2)
    # In place of this process, which has imported too much by now to become green.
    command = [sys.executable, "-m", "shared.hosting.cluster", f"services.{service}.service:SERVICE"]
    os.execv(sys.executable, command)  # noqa: S606
