"""Money, keys and suppliers."""

from __future__ import annotations

from observability.boards.panels import Board, figure, graph, now, quantile, rate
from services.fulfillment import metrics as fulfillment
from services.gateway import metrics as gateway
from services.ledger import metrics as ledger
from services.notification import metrics as notification
from services.order import metrics as order
from shared.telemetry import metrics as m

PURCHASES = 'effect="purchase"'
GIVEN_BACK = 'step=~"refunded|cancelled"'


def board() -> Board:
    return (
        Board("money-and-stock", "Kameng: money and stock", "Money in minor units (fen, cents), keys, suppliers.")
        .row(
            "Now",
            figure(
                "Ledger off balance",
                "Anything but 0 is a defect.",
                "none",
                now(ledger.LEDGER_IMBALANCE),
                red=1,
                runbook="KamengLedgerImbalance",
            ),
            figure("Orders with money held", "Paid, and not ended.", "none", f"sum({now(gateway.HOLDS, 'currency')})"),
            figure(
                "Products low on keys",
                "On sale from stock, at or below their threshold.",
                "none",
                now(gateway.PRODUCTS_LOW),
                red=1,
                runbook="KamengLowStock",
            ),
            figure(
                "Products sold out",
                "On sale, and no key is left.",
                "none",
                now(gateway.PRODUCTS_SOLD_OUT),
                red=1,
                runbook="KamengLowStock",
            ),
            figure(
                "Suppliers in trouble",
                "Failed five times in a row or more.",
                "none",
                f"count({now(fulfillment.SUPPLIER_FAILURES, 'supplier')} >= 5) or vector(0)",
                red=1,
                runbook="KamengSupplierDown",
            ),
            figure(
                "Deliveries for people",
                "`GET /v1/deliveries/handovers` shows them.",
                "none",
                now(gateway.HANDED_OVER),
                red=1,
                runbook="KamengHandedOver",
            ),
            figure(
                "Money for people",
                "Money that matches no payment, failed returns, payments that a channel did not close, "
                "callbacks that can't be read: `GET /v1/payments/unmatched`, "
                "`GET /v1/payments/failed-returns`, `GET /v1/payments/not-closed`, `GET /v1/payments/unread`, "
                "`GET /v1/suppliers/unread`.",
                "none",
                f"{now(gateway.UNMATCHED_OPEN)} + {now(gateway.RETURNS_FAILED)} + {now(gateway.NOT_CLOSED)}"
                f" + sum({now(gateway.UNREAD, 'kind')})",
                red=1,
                runbook="KamengMoneyUnmatched",
            ),
        )
        .row(
            "Money",
            graph(
                "Money that moves, a second",
                "In minor units. Captured is earned; released and refunded go back.",
                "none",
                (rate(ledger.MONEY, "flow", "currency"), "{{flow}} {{currency}}"),
            ),
            graph(
                "Money held",
                "Held for orders and for returns under way, in minor units.",
                "none",
                (now(ledger.HELD, "currency"), "{{currency}}"),
            ),
            graph(
                "Orders with money held",
                "Paid, and not ended.",
                "none",
                (now(gateway.HOLDS, "currency"), "{{currency}}"),
                runbook="KamengOrderStuck",
            ),
            graph(
                "Refunds and cancellations a minute",
                "Refunds are of completed orders.",
                "none",
                (f"60 * {rate(order.ORDER_STEPS, 'step', where=GIVEN_BACK)}", "{{step}}"),
            ),
            graph(
                "Ledger off balance",
                "In minor units, over all currencies.",
                "none",
                (now(ledger.LEDGER_IMBALANCE), "off"),
                runbook="KamengLedgerImbalance",
            ),
            graph(
                "Messages to people a minute",
                "Mails and webhooks: queued, sent, failed.",
                "none",
                (f"60 * {rate(notification.NOTIFICATIONS, 'outcome')}", "{{outcome}}"),
            ),
        )
        .row(
            "Stock",
            graph(
                "Keys",
                "Every key loaded is available, reserved, sold, faulted or expired.",
                "none",
                (now(gateway.KEYS, "state"), "{{state}}"),
            ),
            graph(
                "Products",
                "On sale; low and sold out are among those from stock.",
                "none",
                (now(gateway.PRODUCTS_ON_SALE), "on sale"),
                (now(gateway.PRODUCTS_LOW), "low"),
                (now(gateway.PRODUCTS_SOLD_OUT), "sold out"),
                runbook="KamengLowStock",
            ),
            graph(
                "Order lines ended a second",
                "How they were delivered, or not.",
                "ops",
                (rate(fulfillment.DELIVERIES, "how"), "{{how}}"),
            ),
        )
        .row(
            "Suppliers",
            graph(
                "Purchases a second, by outcome",
                "`error` has an unknown outcome, and is looked up before it is repeated.",
                "ops",
                (rate(m.CALLS, "partner", "outcome", where=PURCHASES), "{{partner}} {{outcome}}"),
                runbook="KamengSupplierDown",
            ),
            graph(
                "Time of a purchase, p95",
                "By supplier.",
                "s",
                (quantile(m.CALL_SECONDS, 0.95, "partner", where=PURCHASES), "{{partner}}"),
                runbook="KamengSupplierDown",
            ),
            graph(
                "Failures in a row",
                "From 5 on a supplier is tripped: for 30 s it is asked last.",
                "none",
                (now(fulfillment.SUPPLIER_FAILURES, "supplier"), "{{supplier}}"),
                (now(fulfillment.SUPPLIER_TRIPPED, "supplier"), "{{supplier}} tripped"),
                runbook="KamengSupplierDown",
            ),
        )
    )
