"""The command line `kameng`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from cli.lazily import Entry, group_of
from services import all_services

if TYPE_CHECKING:
    from shared.runtime.service import Service

    SERVICES: tuple[Service, ...]

COMMANDS = (
    Entry(
        "demo",
        "cli.demo:demo",
        "Import a catalogue, sell a thousand orders over HTTP, take every path, and prove the result. 演示。",
    ),
    Entry("serve", "cli.serving:serve", "Run the whole platform and stay. 启动整个平台。"),
    Entry("import", "cli.importing:app", "Import products or card keys from .xlsx or .csv. 导入商品或卡密。"),
    Entry(
        "events",
        "cli.inspecting:events",
        "Print a service's events, one JSON object a line; sealed texts are left out. 查看事件。",
    ),
    Entry("order", "cli.inspecting:order_app", "Look at orders. 查看订单。"),
    Entry(
        "rebuild",
        "cli.proving:rebuild_tables",
        "Rebuild a service's tables from the logs and put them in place of the old. 重建。",
    ),
    Entry(
        "verify",
        "cli.proving:verify_services",
        "Prove that keys, orders, money and state are right, from the logs alone; also while it is at work. 验证。",
    ),
    Entry(
        "status",
        "cli.operating:status",
        "Show each service's head, lag, parked messages and agenda, and what it waits for. 运行状况。",
    ),
    Entry(
        "heal",
        "cli.healing:heal_logs",
        "Let a log that was restored from an older backup go on behind all that is known of it. 修复日志。",
    ),
    Entry(
        "lost",
        "cli.lost:lost",
        "Orders that were lost with an older backup, and what is held for them; free it. 丢失的订单。",
    ),
    Entry("parked", "cli.parked:app", "Messages that could not be handled. 搁置的消息。"),
    Entry("topology", "cli.operating:topology", "The cluster's exchanges, queues and bindings. 消息拓扑。"),
    Entry(
        "migrate",
        "cli.migrating:migrate",
        "Create each service's PostgreSQL database and role, and bring its tables up to date. 建库与迁移。",
    ),
    Entry("secrets", "cli.secrets:app", "What the processes must know and nobody else. 密钥。"),
    Entry(
        "run",
        "cli.running:run",
        "Run a service's writer, on the environment's PostgreSQL and RabbitMQ, until told to stop. 运行服务。",
    ),
    Entry(
        "log-server",
        "cli.logserving:log_server",
        "Announce the head of a service's log, and answer pulls; until told to stop. 日志服务。",
    ),
    Entry(
        "publisher",
        "cli.publishing:publisher",
        "Publish a service's events to the outside as CloudEvents, until told to stop. 对外发布事件。",
    ),
    Entry(
        "webhooks",
        "cli.webhooks:webhooks",
        "Post events to the registered webhook endpoints, until told to stop. 推送 Webhook。",
    ),
    Entry("gateway", "cli.gateway:gateway", "Serve the HTTP API of the cluster, until told to stop. 网关。"),
    Entry("cluster", "cli.cluster:app", "The cluster on this machine. 本机集群。"),
)

app = typer.Typer(
    name="kameng",
    cls=group_of(COMMANDS),
    help="Kameng (卡盟): a back office for trading digital goods. 数字商品交易后台。",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
)


@app.callback()
def _kameng() -> None:
    """Makes the application a group of commands."""


def __getattr__(name: str) -> tuple[Service, ...]:
    if name == "SERVICES":
        return all_services()
    raise AttributeError(name)


def main() -> None:
    """Run the command line."""
    app()


if __name__ == "__main__":
    main()
