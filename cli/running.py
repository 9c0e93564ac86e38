"""`kameng run`: one service of the cluster, as this process."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from cli.common import known
from services import declaration_of, readers_of


def run(service: Annotated[str, typer.Argument(help="Whose writer. 服务名。")]) -> None:
    """Run a service's writer, on the environment's PostgreSQL and RabbitMQ, until told to stop. 运行服务。"""
    # In place of this process, which has imported too much by now to become green.
    command = [sys.executable, "-m", "shared.runtime.cluster", declaration_of(known(service)), *readers_of(service)]
    os.execv(sys.executable, command)  # noqa: S606
