"""`kameng gateway`: the HTTP API of the cluster."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.common import AmqpUrl, DatabaseUrl, needed
from cli.http import http_server, serve_api
from cli.sockets import listen
from services import read_settings
from shared.eventstore.engines import open_engine
from shared.readside.broker_backend import BrokerBackend
from shared.runtime.clock import Clock
from shared.runtime.ids import Ids
from shared.runtime.service import HostContext
from shared.runtime.settings import own_url
from shared.security.secrets import Secrets
from shared.telemetry.logs import configure_logs
from shared.telemetry.tracing import start_tracing


def gateway(
    database_url: DatabaseUrl = "",
    amqp_url: AmqpUrl = "",
    host: Annotated[str, typer.Option(envvar="KAMENG_HOST", help="Address to listen on. 监听地址。")] = "127.0.0.1",
    port: Annotated[int, typer.Option(envvar="KAMENG_PORT", help="Port; 0 picks a free one. 监听端口。")] = 8000,
) -> None:
    """Serve the HTTP API of the cluster, until told to stop. 网关。"""
    configure_logs(service="gateway")
    start_tracing("gateway")
    needed(KAMENG_DATABASE_URL=database_url, KAMENG_AMQP_URL=amqp_url)
    listening = listen(host, port)
    address = f"http://{host}:{listening.getsockname()[1]}"
    settings = read_settings()
    if "public_url" not in settings.model_fields_set:
        settings = settings.model_copy(update={"public_url": address})
    context = HostContext(settings, Clock(), Ids(), Secrets(settings.var / "secrets"))
    reads = open_engine(own_url(database_url, "gateway"), writer=False)
    with BrokerBackend("gateway", reads, amqp_url, context) as backend:
        serve_api(backend, http_server(backend), listening, address)
