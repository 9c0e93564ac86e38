"""The state of the business at a glance."""

from __future__ import annotations

from observability.boards.panels import INTERVAL, Board, figure, graph, now, quantile, rate
from services import NAMES
from services.gateway import metrics as gateway
from services.ledger import metrics as ledger
from services.order import metrics as order
from services.risk import metrics as risk
from shared.telemetry import metrics as m

IN_TIME = f'sum(increase({order.PAID_ORDER_SECONDS.name}_bucket{{le="60.0"}}[1h]))'
PAID = f'sum(increase({order.ORDER_STEPS.name}{{step="paid"}}[1h]))'
ERRORS = f'sum(rate({gateway.HTTP_REQUESTS.name}{{status=~"5.."}}[{INTERVAL}]))'
NOT_PAYING = 'step!="payment"'


def board() -> Board:
    return (
        Board(
            "overview",
            "Kameng: overview",
            "The state of the business. Red needs a person; each panel says where to look next.",
        )
        .row(
            "Now",
            figure(
                "Paid orders ended within a minute, last hour",
                "Of the orders paid in the last hour, the share that was delivered or given back within 60 s.",
                "percentunit",
                f"clamp_max({IN_TIME} / {PAID}, 1)",
                red=0.99,
                below=True,
                runbook="KamengOrdersLate",
            ),
            figure(
                "Oldest paid order",
                "How long the oldest paid order waits at its step. Reviews by people may take hours.",
                "s",
                f"max({gateway.ORDER_OLDEST_SECONDS.name}{{{NOT_PAYING}}})",
                red=600,
                runbook="KamengOrderStuck",
            ),
            figure(
                "Ledger off balance",
                "The sum of all accounts, in minor units. Anything but 0 is a defect.",
                "none",
                now(ledger.LEDGER_IMBALANCE),
                red=1,
                runbook="KamengLedgerImbalance",
            ),
            figure(
                "HTTP errors",
                "Share of requests answered with 5xx.",
                "percentunit",
                f"{ERRORS} / {rate(gateway.HTTP_REQUESTS)}",
                red=0.01,
                runbook="KamengHttpErrors",
            ),
            figure(
                "Parked messages",
                "Messages that could not be handled. Each holds back its key until a person deals with it.",
                "none",
                f"sum({now(m.PARKED, 'service')})",
                red=1,
                runbook="KamengMessagesParked",
            ),
            figure(
                "Services with a writer",
                f"Of {len(NAMES)}. A service without one decides nothing.",
                "none",
                f"sum({now(m.LEADER, 'service')})",
                red=len(NAMES),
                below=True,
                runbook="KamengNoLeader",
            ),
        )
        .row(
            "Orders",
            graph(
                "Orders a second, by step",
                "Placed, paid, confirmed and completed are about equal. A gap between two is a backlog.",
                "ops",
                (rate(order.ORDER_STEPS, "step"), "{{step}}"),
            ),
            graph(
                "Open orders, by what they wait for",
                "Rising `delivery`: see suppliers and fulfillment. Rising `answers`: risk, inventory and ledger.",
                "none",
                (now(gateway.ORDERS_OPEN, "step"), "{{step}}"),
                runbook="KamengOrderStuck",
            ),
            graph(
                "From payment to the end",
                "How long paid orders take, with any outcome.",
                "s",
                *((quantile(order.PAID_ORDER_SECONDS, share), f"p{share * 100:g}") for share in (0.5, 0.95, 0.99)),
                runbook="KamengOrdersLate",
            ),
            graph(
                "Orders cancelled a second, by reason",
                "`no-answer`: Kameng or a reviewer was slow. `short-stock`: load keys. `blocked`: check risk rules.",
                "ops",
                (rate(order.ORDERS_CANCELLED, "reason"), "{{reason}}"),
            ),
            graph(
                "Screenings a second, by decision",
                "A jump of `block` or `review` is an attack, or a rule that is too strict.",
                "ops",
                (rate(risk.RISK_DECISIONS, "decision"), "{{decision}}"),
            ),
            graph(
                "Waits for people",
                "Deliveries and reviews: `GET /v1/deliveries/handovers`, `GET /v1/risk/cases`.",
                "none",
                (now(gateway.HANDED_OVER), "deliveries"),
                (now(gateway.CASES_OPEN), "reviews"),
                (f"sum({now(m.AGENDA_FAILED, 'service')})", "failed calls"),
                runbook="KamengHandedOver",
            ),
        )
        .row(
            "The way in, and within",
            graph(
                "Requests a second, by status",
                "All routes of the HTTP API.",
                "reqps",
                (rate(gateway.HTTP_REQUESTS, "status"), "{{status}}"),
            ),
            graph(
                "Time to answer",
                "Includes requests that wait for an order on purpose (`wait`).",
                "s",
                *((quantile(gateway.HTTP_SECONDS, share), f"p{share * 100:g}") for share in (0.5, 0.95, 0.99)),
                runbook="KamengHttpErrors",
            ),
            graph(
                "Readers behind, worst source",
                "How long a service has not applied an event that it knows of.",
                "s",
                (now(m.LOG_LAG_SECONDS, "service"), "{{service}}"),
                runbook="KamengReaderBehind",
            ),
        )
    )
