"""Declares the kernel's metrics; each service declares its own in its `metrics.py`."""

from __future__ import annotations

from collections.abc import Mapping

from shared.telemetry.metric import Section

QUICK = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5)
CALL = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30)
SIZES = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000)

# Of a service's writer while it leads; `leader` also while it stands by.
WRITER = Section("Writer")
LEADER = WRITER.metric("leader", "gauge", "0 or 1", "service", "Whether this process is the service's writer.")
BATCHES = WRITER.metric("batches_total", "counter", "commits", "service", "Group commits.")
BATCH_RETRIES = WRITER.metric(
    "batch_retries_total", "counter", "commits", "service", "Group commits tried again after a database error."
)
BATCH_SIZE = WRITER.metric(
    "batch_size", "histogram", "messages", "service", "Commands, events and results in a group commit.", SIZES
)
COMMIT_SECONDS = WRITER.metric(
    "commit_seconds", "histogram", "seconds", "service", "Time to decide and commit a batch.", QUICK
)
EVENTS = WRITER.metric("events_total", "counter", "events", "service", "Events appended to the service's own log.")
PULLS = WRITER.metric("pulls_total", "counter", "pulls", "service", "Pulls sent to a source for missing events.")
DROPPED = WRITER.metric("dropped_total", "counter", "messages", "service", "Messages that could not be read.")
LOG_HEAD = WRITER.metric("log_head", "gauge", "position", "service", "Position of a log's last event.")
LOG_LAG = WRITER.metric(
    "log_lag",
    "gauge",
    "events",
    "service source",
    "Events of a source not yet applied; negative when the log ends before the applied position.",
)
LOG_UNANNOUNCED = WRITER.metric(
    "log_unannounced",
    "gauge",
    "0 or 1",
    "service source",
    "Whether a source's log server has been silent for 5 s. Until it answers, lost batches can't be pulled.",
)
LOG_DIVERGED = WRITER.metric(
    "log_diverged",
    "gauge",
    "0 or 1",
    "service source",
    "Whether a source's log differs from what was applied of it; the reader then stops applying it. For the service's "
    "own log: whether a reader has applied other events than the log holds; the service then decides nothing.",
)
EVENTS_UNKNOWN = WRITER.metric(
    "events_unknown_total",
    "counter",
    "events",
    "service source type",
    "Events of a source whose type this version does not know, since the process started. They are skipped; at an "
    "essential one, the reader stops applying the source.",
)
LOG_LAG_SECONDS = WRITER.metric(
    "log_lag_seconds",
    "gauge",
    "seconds",
    "service source",
    "How long the first event not yet applied has been known; exact to a second.",
)
CLOCK_AHEAD = WRITER.metric(
    "clock_ahead_seconds",
    "gauge",
    "seconds",
    "service",
    "How far the writer's clock is ahead of its database's; negative when behind. Also while it may not lead.",
)
PARKED = WRITER.metric("parked", "gauge", "messages", "service", "Parked messages, which wait for a person.")
AGENDA_WAITING = WRITER.metric("agenda_waiting", "gauge", "items", "service", "Scheduled items.")
AGENDA_FAILED = WRITER.metric(
    "agenda_failed", "gauge", "items", "service", "Scheduled items that failed for the last time."
)
AGENDA_OVERDUE_SECONDS = WRITER.metric(
    "agenda_overdue_seconds", "gauge", "seconds", "service", "How long the oldest scheduled item is overdue."
)
CALLS = WRITER.metric(
    "calls_total",
    "counter",
    "calls",
    "service effect partner outcome",
    "External calls. `partner` is the supplier or payment channel, if there is one. `outcome` is done, pending or "
    "failed, as the partner answers, or error; after an error the call is tried again.",
)
CALL_SECONDS = WRITER.metric(
    "call_seconds", "histogram", "seconds", "service effect partner", "Time of external calls.", CALL
)

LOG_SERVER = Section("Log server")
LOG_SERVER_HEAD = LOG_SERVER.metric(
    "log_server_head", "gauge", "position", "service", "Position of the log's last event, as last read."
)
LOG_SERVER_CONNECTED = LOG_SERVER.metric(
    "log_server_connected", "gauge", "0 or 1", "service", "Whether the log server is connected to a broker."
)
LOG_SERVER_PULLS = LOG_SERVER.metric("log_server_pulls_total", "counter", "pulls", "service", "Pulls answered.")

PUBLISHER = Section("Publisher")
PUBLISHER_HEAD = PUBLISHER.metric(
    "publisher_head", "gauge", "position", "service", "Position of the log's last event, as last read."
)
PUBLISHER_POSITION = PUBLISHER.metric(
    "publisher_position", "gauge", "position", "service", "Position up to which the log is published."
)
PUBLISHER_OLDEST_SECONDS = PUBLISHER.metric(
    "publisher_oldest_seconds", "gauge", "seconds", "service", "Age of the first event not published."
)
PUBLISHER_LEADS = PUBLISHER.metric(
    "publisher_leads", "gauge", "0 or 1", "service", "Whether this publisher is the one at work."
)
PUBLISHER_CONNECTED = PUBLISHER.metric(
    "publisher_connected", "gauge", "0 or 1", "service", "Whether the publisher is connected to a broker."
)
PUBLISHER_HELD = PUBLISHER.metric(
    "publisher_held", "gauge", "0 or 1", "service", "Whether an event that can't be published holds up the later ones."
)
PUBLISHER_DIVERGED = PUBLISHER.metric(
    "publisher_diverged",
    "gauge",
    "0 or 1",
    "service",
    "Whether the log differs from what was published of it; the publisher then stops.",
)
PUBLISHER_EVENTS = PUBLISHER.metric("publisher_events_total", "counter", "events", "service", "Events published.")

# The writer reads these from its own database, with the rights of its role.
DATABASE = Section("Database")
DATABASE_UP = DATABASE.metric("database_up", "gauge", "0 or 1", "service", "Whether the service's database answers.")
DATABASE_CONNECTIONS = DATABASE.metric(
    "database_connections", "gauge", "connections", "service", "Connections to the database."
)
DATABASE_SIZE = DATABASE.metric("database_size_bytes", "gauge", "bytes", "service", "Size of the database on disk.")
DATABASE_COMMITS = DATABASE.metric("database_commits_total", "counter", "transactions", "service", "Commits.")
DATABASE_ROLLBACKS = DATABASE.metric("database_rollbacks_total", "counter", "transactions", "service", "Rollbacks.")
DATABASE_DEADLOCKS = DATABASE.metric("database_deadlocks_total", "counter", "deadlocks", "service", "Deadlocks.")
DATABASE_BLOCKS_HIT = DATABASE.metric(
    "database_blocks_hit_total", "counter", "blocks", "service", "Blocks found in the server's memory."
)
DATABASE_BLOCKS_READ = DATABASE.metric(
    "database_blocks_read_total", "counter", "blocks", "service", "Blocks that had to be read."
)
DATABASE_OLDEST_SECONDS = DATABASE.metric(
    "database_oldest_transaction_seconds",
    "gauge",
    "seconds",
    "service",
    "Age of the service's oldest transaction; an old one keeps PostgreSQL from removing dead rows.",
)

PROCESS = Section("Every process")
PROCESS_CPU = PROCESS.metric(
    "process_cpu_seconds_total", "counter", "seconds", "service process", "Processor time used."
)
PROCESS_MEMORY = PROCESS.metric("process_memory_bytes", "gauge", "bytes", "service process", "Memory in use.")
PROCESS_STARTED = PROCESS.metric(
    "process_start_time_seconds", "gauge", "seconds", "service process", "When the process started, in Unix time."
)


def by_source_and_type(unknown: Mapping[str, Mapping[str, int]]) -> dict[tuple[str, str], int]:
    """Counts by the labels source and type."""
    return {(source, type_): count for source, counts in unknown.items() for type_, count in counts.items()}
