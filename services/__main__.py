"""The command line `kameng`: the only place that knows every service."""

from __future__ import annotations

import typer

from services.cli import (
    clustering,
    demo,
    importing,
    inspecting,
    migrating,
    operating,
    parked,
    proving,
    running,
    serving,
)
from services.fulfillment.service import SERVICE as FULFILLMENT
from services.gateway.service import SERVICE as GATEWAY
from services.inventory.service import SERVICE as INVENTORY
from services.ledger.service import SERVICE as LEDGER
from services.notification.service import SERVICE as NOTIFICATION
from services.order.service import SERVICE as ORDER
from services.risk.service import SERVICE as RISK

SERVICES = (ORDER, INVENTORY, FULFILLMENT, LEDGER, RISK, NOTIFICATION, GATEWAY)

app = typer.Typer(
    name="kameng",
    help="Kameng (卡盟): a back office for trading digital goods. 数字商品交易后台。",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
)


@app.callback()
def _services(context: typer.Context) -> None:
    context.obj = SERVICES


app.command("demo")(demo.demo)
app.command("serve")(serving.serve)
app.add_typer(importing.app, name="import")
app.command("events")(inspecting.events)
app.add_typer(inspecting.order_app, name="order")
app.command("rebuild")(proving.rebuild_tables)
app.command("verify")(proving.verify_services)
app.command("status")(operating.status)
app.add_typer(parked.app, name="parked")
app.command("topology")(operating.topology)
app.command("migrate")(migrating.migrate)
app.command("run")(running.run)
app.command("log-server")(clustering.log_server)
app.command("gateway")(clustering.gateway)
app.add_typer(clustering.app, name="cluster")


def main() -> None:
    """Run the command line."""
    app()


if __name__ == "__main__":
    main()
