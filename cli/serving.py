"""`kameng serve`: runs the whole platform in one process."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Annotated

import typer
from sqlalchemy.exc import DBAPIError

from cli.common import VAR, Var, console, fail, services_of
from cli.http import http_server, serve_api
from cli.kept_secrets import lost_secrets
from cli.sockets import listen
from sandboxes.running import CHANNEL, SUPPLIERS, run_sandboxes
from services import read_settings
from services.gateway.access.bootstrap import NotAccepted
from services.gateway.imports.runs import Runs
from services.gateway.webhooks.running import dispatcher_of, in_thread, readings
from shared.eventstore.disk_space import trouble_in
from shared.eventstore.engines import open_engine
from shared.eventstore.log import Incomplete
from shared.runtime.embedded import Embedded, InUse, database_url
from shared.runtime.settings import ChannelSettings, Settings, SupplierSettings
from shared.security.secrets import Secrets
from shared.telemetry.logs import configure_logs
from shared.telemetry.tracing import start_tracing


def serve(
    context: typer.Context,
    var: Var = VAR,
    host: Annotated[str, typer.Option(envvar="KAMENG_HOST", help="Address to listen on. 监听地址。")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(envvar="KAMENG_PORT", help="Port to listen on; 0 picks a free one. 监听端口。")
    ] = 8000,
) -> None:
    """Run the whole platform and stay. 启动整个平台。

    Suppliers and payment channels come from KAMENG_SUPPLIERS and KAMENG_CHANNELS; when neither is set, sandboxes run
    beside it, so that top-ups and payments can be tried.
    """
    configure_logs()
    if lost := lost_secrets(var):
        fail(f"{lost}.")
    start_tracing("serve")
    listening = listen(host, port)
    address = f"http://{host}:{listening.getsockname()[1]}"
    settings = read_settings(var=var, host=host, port=listening.getsockname()[1])
    if "public_url" not in settings.model_fields_set:
        settings = settings.model_copy(update={"public_url": address})
    try:
        with ExitStack() as stack:
            if not settings.suppliers and not settings.channels:
                settings = stack.enter_context(_with_sandboxes(settings))
            _serve(Embedded(services_of(context), settings, reader="gateway"), listening, address)
    except InUse as error:
        fail(f"{error}. Stop it first, or give another folder with --var.")
    except NotAccepted as error:
        fail(f"{error}.")
    except DBAPIError as error:
        what = trouble_in(var, error)
        fail(f"{var} can't be used: {f'its disk {what}' if what else error.orig}.")
    except OSError as error:
        fail(f"{var} can't be used: {error.strerror or error}.")


@contextmanager
def _with_sandboxes(settings: Settings) -> Iterator[Settings]:
    with run_sandboxes(Secrets(settings.var / "secrets"), settings.public_url) as running:
        names = ", ".join(SUPPLIERS)
        console.print(f"Payment channel [bold]{CHANNEL}[/bold] and suppliers {names} are sandboxes. 沙箱。")
        yield settings.model_copy(
            update={
                "suppliers": {name: SupplierSettings(url=running[name]) for name in SUPPLIERS},
                "channels": {CHANNEL: ChannelSettings(url=running[CHANNEL])},
            }
        )


def _serve(host: Embedded, listening: socket.socket, address: str) -> None:
    with ExitStack() as stack:
        stack.callback(host.stop)
        try:
            host.start()
        except (Incomplete, LookupError) as error:
            fail(f"{error}.")
        address_file = host.settings.var / "serve.json"
        engine = open_engine(database_url(host.settings.var, "gateway"), writer=True)
        stack.callback(engine.dispose)
        dispatcher = dispatcher_of(host, engine)
        server = http_server(host, readings(dispatcher, host.clock.now))

        def leave() -> None:
            server.should_exit = True

        host.on_broken = leave
        if host.broken:
            leave()
        address_file.unlink(missing_ok=True)
        stack.callback(address_file.unlink, missing_ok=True)
        with os.fdopen(os.open(address_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            json.dump({"pid": os.getpid(), "address": address}, file)
        Runs(engine).interrupt_all(host.clock.now())
        with in_thread(dispatcher):
            serve_api(host, server, listening, address)
    if host.broken:
        fail(f"the {host.broken} service broke: the log says why. Nothing accepted is lost; start again.", code=70)
