"""Every metric of the platform: its name, kind, unit, labels and meaning. `docs/metrics.md` is made of this."""

from __future__ import annotations

from collections.abc import Mapping

from shared.telemetry.metric import Kind, Metric

QUICK = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5)
HTTP = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10)
CALL = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30)
SALE = (0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 21_600, 86_400)
SIZES = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000)

_sections: dict[str, list[Metric]] = {}


def _metric(
    section: str,
    name: str,
    kind: Kind,
    unit: str,
    labels: str,
    meaning: str,
    buckets: tuple[float, ...] = (),
) -> Metric:
    metric = Metric(f"kameng_{name}", kind, unit, tuple(labels.split()), meaning, buckets)
    _sections.setdefault(section, []).append(metric)
    return metric


# What a service's writer tells while it leads; `leader` also while it stands by.
_ = "Writer"
LEADER = _metric(_, "leader", "gauge", "0 or 1", "service", "Whether this process is the service's writer.")
BATCHES = _metric(_, "batches_total", "counter", "commits", "service", "Group commits.")
BATCH_RETRIES = _metric(
    _, "batch_retries_total", "counter", "commits", "service", "Group commits tried again after a database error."
)
BATCH_SIZE = _metric(
    _, "batch_size", "histogram", "messages", "service", "Commands, events and results in a group commit.", SIZES
)
COMMIT_SECONDS = _metric(
    _, "commit_seconds", "histogram", "seconds", "service", "Time to decide and commit a batch.", QUICK
)
EVENTS = _metric(_, "events_total", "counter", "events", "service", "Events appended to the service's own log.")
PULLS = _metric(_, "pulls_total", "counter", "pulls", "service", "Times that a source was asked for what was missing.")
DROPPED = _metric(_, "dropped_total", "counter", "messages", "service", "Messages that could not be read.")
LOG_HEAD = _metric(_, "log_head", "gauge", "position", "service", "Position of a log's last event.")
LOG_LAG = _metric(
    _,
    "log_lag",
    "gauge",
    "events",
    "service source",
    "Events of a source not yet applied; below 0, as many events that were applied are no longer in the log.",
)
LOG_UNANNOUNCED = _metric(
    _,
    "log_unannounced",
    "gauge",
    "0 or 1",
    "service source",
    "Whether a source's log server has said nothing for 5 s: what is lost on its way from that log can't be had.",
)
LOG_DIVERGED = _metric(
    _,
    "log_diverged",
    "gauge",
    "0 or 1",
    "service source",
    "Whether a log is another one than was read: that of a source, which is then applied no further, or the own one, "
    "of which a reader knows other events, and on which nothing is decided then.",
)
EVENTS_UNKNOWN = _metric(
    _,
    "events_unknown_total",
    "counter",
    "events",
    "service source type",
    "Events of a source whose type this version does not know, since it reads: passed over, or, where they are "
    "essential, stopped at.",
)
LOG_LAG_SECONDS = _metric(
    _,
    "log_lag_seconds",
    "gauge",
    "seconds",
    "service source",
    "How long the first event not yet applied is known; exact to a second.",
)
CLOCK_AHEAD = _metric(
    _,
    "clock_ahead_seconds",
    "gauge",
    "seconds",
    "service",
    "How far the writer's clock is ahead of its database's, below 0 behind; also while it will not lead because of it.",
)
PARKED = _metric(_, "parked", "gauge", "messages", "service", "Messages that wait for a person.")
AGENDA_WAITING = _metric(_, "agenda_waiting", "gauge", "items", "service", "Things to do later.")
AGENDA_FAILED = _metric(_, "agenda_failed", "gauge", "items", "service", "Things that failed for good.")
AGENDA_OVERDUE_SECONDS = _metric(
    _, "agenda_overdue_seconds", "gauge", "seconds", "service", "How long the oldest thing to do is over its time."
)
CALLS = _metric(
    _,
    "calls_total",
    "counter",
    "calls",
    "service effect partner outcome",
    "Calls to the outside. `partner` is the supplier or payment channel, if there is one; `outcome` is done, pending "
    "or failed as the partner says, or error: then it is tried again.",
)
CALL_SECONDS = _metric(
    _, "call_seconds", "histogram", "seconds", "service effect partner", "Time of calls to the outside.", CALL
)

# Counted by the writer that commits the event, once: a rebuild or a replay of what was read before counts nothing.
_ = "Business: what happened"
ORDER_STEPS = _metric(
    _,
    "order_steps_total",
    "counter",
    "orders",
    "step",
    "Orders that reached a step: placed, paid, confirmed, reopened, completed, cancelled, refunded (a refund each).",
)
ORDERS_CANCELLED = _metric(_, "orders_cancelled_total", "counter", "orders", "reason", "Orders cancelled, by reason.")
PAID_ORDER_SECONDS = _metric(
    _,
    "paid_order_seconds",
    "histogram",
    "seconds",
    "outcome",
    "From an order's payment to its end: delivered whole, short (something was given back), or cancelled.",
    SALE,
)
DELIVERIES = _metric(
    _,
    "deliveries_total",
    "counter",
    "lines",
    "how",
    "Order lines that ended, or went to a person: keys, supplier, manual, failed, handed-over.",
)
KEYS_SUPPLIED = _metric(
    _, "keys_supplied_total", "counter", "keys", "state", "Keys of ours that a supplier sent as well: sold, unsold."
)
RISK_DECISIONS = _metric(
    _, "risk_decisions_total", "counter", "orders", "decision", "Orders screened: pass, review, block."
)
RISK_CASES_DECIDED = _metric(
    _, "risk_cases_decided_total", "counter", "orders", "decision", "Reviews that a person decided: pass, block."
)
MONEY = _metric(
    _,
    "money_minor_units_total",
    "counter",
    "minor units",
    "flow currency",
    "Money that moved: received from a channel, held, captured, released, refunded, returned to a channel.",
)
NOTIFICATIONS = _metric(
    _,
    "notifications_total",
    "counter",
    "messages",
    "outcome",
    "Messages to people: queued, sent, failed, withheld, gathered.",
)

# Looked up at a scrape, by the writer of the service whose tables hold it.
_ = "Business: how it stands"
ORDERS_OPEN = _metric(
    _,
    "orders_open",
    "gauge",
    "orders",
    "step",
    "Orders that have not ended, by what they wait for: payment, answers, review, delivery. Counted up to 100,000.",
)
ORDER_OLDEST_SECONDS = _metric(
    _, "order_oldest_seconds", "gauge", "seconds", "step", "How long the oldest of them has waited at this step."
)
HOLDS = _metric(_, "holds", "gauge", "orders", "currency", "Orders that are paid and have not ended.")
HELD = _metric(_, "held_minor_units", "gauge", "minor units", "currency", "Money set aside, in all accounts.")
LEDGER_IMBALANCE = _metric(
    _,
    "ledger_imbalance_minor_units",
    "gauge",
    "minor units",
    "",
    "How far all accounts together are off zero, over all currencies. Anything but 0 is an error of ours.",
)
PRODUCTS_ON_SALE = _metric(_, "products_on_sale", "gauge", "products", "", "Products on sale.")
PRODUCTS_LOW = _metric(
    _, "products_low_stock", "gauge", "products", "", "Products on sale from stock, at or below their threshold."
)
PRODUCTS_SOLD_OUT = _metric(
    _, "products_sold_out", "gauge", "products", "", "Products on sale from stock, with no key left."
)
KEYS = _metric(
    _, "keys", "gauge", "keys", "state", "Card keys: available, reserved, sold, faulted, withdrawn, expired."
)
HANDED_OVER = _metric(_, "deliveries_handed_over", "gauge", "lines", "", "Order lines that a person must deliver.")
HANDED_OVER_OLDEST_SECONDS = _metric(
    _, "deliveries_handed_over_oldest_seconds", "gauge", "seconds", "", "How long the oldest of them has waited."
)
CASES_OPEN = _metric(_, "risk_cases_open", "gauge", "orders", "", "Orders that wait for a person's review.")
CASES_OLDEST_SECONDS = _metric(
    _, "risk_cases_oldest_seconds", "gauge", "seconds", "", "How long the oldest of them has waited."
)
UNMATCHED_OPEN = _metric(
    _, "payments_unmatched", "gauge", "items", "", "Things that channels said of money and that wait for a person."
)
UNMATCHED_OLDEST_SECONDS = _metric(
    _, "payments_unmatched_oldest_seconds", "gauge", "seconds", "", "How long the oldest of them has waited."
)
RETURNS_FAILED = _metric(
    _, "returns_failed", "gauge", "returns", "", "Returns that failed and that nobody has paid since."
)
RETURNS_FAILED_OLDEST_SECONDS = _metric(
    _, "returns_failed_oldest_seconds", "gauge", "seconds", "", "How long the oldest of them has waited."
)
NOT_CLOSED = _metric(
    _, "payments_not_closed", "gauge", "payments", "", "Payments nobody needs that a channel did not close when asked."
)
NOT_CLOSED_OLDEST_SECONDS = _metric(
    _, "payments_not_closed_oldest_seconds", "gauge", "seconds", "", "How long the oldest of them has waited."
)
UNREAD = _metric(
    _, "statements_unread", "gauge", "statements", "kind", "Signed statements of partners that nobody could read yet."
)
UNREAD_OLDEST_SECONDS = _metric(
    _, "statements_unread_oldest_seconds", "gauge", "seconds", "kind", "How long the oldest of them has waited."
)
SUPPLIER_FAILURES = _metric(
    _, "supplier_failures", "gauge", "purchases", "supplier", "Failures in a row since a supplier's last success."
)
SUPPLIER_TRIPPED = _metric(
    _, "supplier_tripped", "gauge", "0 or 1", "supplier", "Whether it failed so often and lately that it is asked last."
)

_ = "Gateway, over HTTP"
HTTP_REQUESTS = _metric(
    _, "http_requests_total", "counter", "requests", "method route status", "HTTP requests answered."
)
HTTP_SECONDS = _metric(
    _, "http_request_seconds", "histogram", "seconds", "method route", "Time to answer HTTP requests.", HTTP
)

_ = "Log server"
LOG_SERVER_HEAD = _metric(
    _, "log_server_head", "gauge", "position", "service", "Position of the log's last event, as last seen."
)
LOG_SERVER_CONNECTED = _metric(_, "log_server_connected", "gauge", "0 or 1", "service", "Whether a broker is served.")
LOG_SERVER_PULLS = _metric(_, "log_server_pulls_total", "counter", "pulls", "service", "Pulls answered.")

_ = "Publisher"
PUBLISHER_HEAD = _metric(
    _, "publisher_head", "gauge", "position", "service", "Position of the log's last event, as last seen."
)
PUBLISHER_POSITION = _metric(
    _, "publisher_position", "gauge", "position", "service", "Position up to which it is published."
)
PUBLISHER_OLDEST_SECONDS = _metric(
    _, "publisher_oldest_seconds", "gauge", "seconds", "service", "Age of the first event not published."
)
PUBLISHER_LEADS = _metric(_, "publisher_leads", "gauge", "0 or 1", "service", "Whether it is the one at work.")
PUBLISHER_CONNECTED = _metric(_, "publisher_connected", "gauge", "0 or 1", "service", "Whether it has a broker.")
PUBLISHER_HELD = _metric(_, "publisher_held", "gauge", "0 or 1", "service", "Whether an event holds up the others.")
PUBLISHER_DIVERGED = _metric(
    _, "publisher_diverged", "gauge", "0 or 1", "service",
    "Whether the log is another one than the outside was told of: then nothing more is told of it.",
)  # fmt: skip
PUBLISHER_EVENTS = _metric(_, "publisher_events_total", "counter", "events", "service", "Events published.")

# Those of `kameng serve` and of `kameng webhooks`; `leads` of the latter only.
_ = "Webhooks"
WEBHOOK_DELIVERED = _metric(_, "webhook_delivered_total", "counter", "events", "service", "Events delivered.")
WEBHOOK_FAILURES = _metric(_, "webhook_failures_total", "counter", "attempts", "service", "Attempts that failed.")
WEBHOOK_GIVEN_UP = _metric(
    _, "webhook_given_up_total", "counter", "events", "service", "Events given up after three days of attempts."
)
WEBHOOK_DISABLINGS = _metric(
    _, "webhook_disablings_total", "counter", "endpoints", "service", "Endpoints disabled for failing."
)
WEBHOOK_ENDPOINTS = _metric(_, "webhook_endpoints", "gauge", "endpoints", "service", "Endpoints that are enabled.")
WEBHOOK_DISABLED = _metric(_, "webhook_disabled", "gauge", "endpoints", "service", "Endpoints that are disabled.")
WEBHOOK_DOWN = _metric(_, "webhook_down", "gauge", "endpoints", "service", "Enabled endpoints that only fail.")
WEBHOOK_BEHIND = _metric(
    _, "webhook_behind", "gauge", "events", "service", "Events that enabled endpoints were not told of yet."
)
WEBHOOK_WAITING = _metric(
    _, "webhook_waiting", "gauge", "deliveries", "service", "Deliveries that failed and wait to be tried again."
)
WEBHOOK_OLDEST_SECONDS = _metric(
    _, "webhook_oldest_seconds", "gauge", "seconds", "service", "How long the oldest of them has waited."
)
WEBHOOK_HELD = _metric(_, "webhook_held", "gauge", "lanes", "service", "Lanes that can't go on, such as for old code.")
WEBHOOK_LEADS = _metric(_, "webhook_leads", "gauge", "0 or 1", "service", "Whether it is the one at work.")

# Asked by the writer of its own database, with no more rights than it has anyway.
_ = "Database"
DATABASE_UP = _metric(_, "database_up", "gauge", "0 or 1", "service", "Whether the service's database answers.")
DATABASE_CONNECTIONS = _metric(_, "database_connections", "gauge", "connections", "service", "Connections to it.")
DATABASE_SIZE = _metric(_, "database_size_bytes", "gauge", "bytes", "service", "Its size on disk.")
DATABASE_COMMITS = _metric(_, "database_commits_total", "counter", "transactions", "service", "Commits.")
DATABASE_ROLLBACKS = _metric(_, "database_rollbacks_total", "counter", "transactions", "service", "Rollbacks.")
DATABASE_DEADLOCKS = _metric(_, "database_deadlocks_total", "counter", "deadlocks", "service", "Deadlocks.")
DATABASE_BLOCKS_HIT = _metric(
    _, "database_blocks_hit_total", "counter", "blocks", "service", "Blocks found in the server's memory."
)
DATABASE_BLOCKS_READ = _metric(
    _, "database_blocks_read_total", "counter", "blocks", "service", "Blocks that had to be read."
)
DATABASE_OLDEST_SECONDS = _metric(
    _,
    "database_oldest_transaction_seconds",
    "gauge",
    "seconds",
    "service",
    "Age of the service's oldest transaction; an old one keeps dead rows from being cleared away.",
)

_ = "Every process"
PROCESS_CPU = _metric(_, "process_cpu_seconds_total", "counter", "seconds", "service process", "Processor time used.")
PROCESS_MEMORY = _metric(_, "process_memory_bytes", "gauge", "bytes", "service process", "Memory in use.")
PROCESS_STARTED = _metric(
    _, "process_start_time_seconds", "gauge", "seconds", "service process", "When it started, in Unix time."
)

SECTIONS: Mapping[str, tuple[Metric, ...]] = {title: tuple(metrics) for title, metrics in _sections.items()}
ALL: tuple[Metric, ...] = tuple(metric for metrics in SECTIONS.values() for metric in metrics)


def by_source_and_type(unknown: Mapping[str, Mapping[str, int]]) -> dict[tuple[str, str], int]:
    """Counts by source and type, as labels."""
    return {(source, type_): count for source, counts in unknown.items() for type_, count in counts.items()}
