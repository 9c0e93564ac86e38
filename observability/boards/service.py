"""One service, or all of them: the same shape for each."""

from __future__ import annotations

from observability.boards.panels import Board, figure, graph, mean, now, quantile, rate
from services import all_services
from shared.telemetry import metrics as m

MINE = 'service=~"$service"'


def board() -> Board:
    callers = ", ".join(sorted(one.name for one in all_services() if one.effects))
    return (
        Board("service", "Kameng: a service", "One service, or several: choose above.", by_service=m.LEADER.name)
        .row(
            "Now",
            figure(
                "Writers at work",
                "One a service.",
                "none",
                f"sum({m.LEADER.name}{{{MINE}}})",
                red=1,
                below=True,
                runbook="KamengNoLeader",
            ),
            figure(
                "Standing by",
                "A standby takes over within seconds when the writer is gone. A trial setup has none.",
                "none",
                f"count({m.LEADER.name}{{{MINE}}}) - sum({m.LEADER.name}{{{MINE}}})",
                runbook="KamengStandbyMissing",
            ),
            figure(
                "Parked messages",
                "`kameng parked list` shows them.",
                "none",
                f"sum({now(m.PARKED, 'service', where=MINE)})",
                red=1,
                runbook="KamengMessagesParked",
            ),
            figure(
                "Agenda over its time",
                "How long the oldest scheduled item is overdue.",
                "s",
                now(m.AGENDA_OVERDUE_SECONDS, where=MINE),
                red=300,
                runbook="KamengAgendaStuck",
            ),
            figure(
                "Database",
                "1: it answers the writer.",
                "none",
                f"min({m.DATABASE_UP.name}{{{MINE}}})",
                red=1,
                below=True,
                runbook="KamengDatabaseDown",
            ),
            figure(
                "Log servers with a broker",
                "One a service.",
                "none",
                f"sum({now(m.LOG_SERVER_CONNECTED, 'service', where=MINE)})",
                red=1,
                below=True,
                runbook="KamengLogServerDown",
            ),
        )
        .row(
            "Writing",
            graph(
                "Events a second", "Appended to the log.", "ops", (rate(m.EVENTS, "service", where=MINE), "{{service}}")
            ),
            graph(
                "Commits a second",
                "Many small ones when quiet, fewer and larger ones under load.",
                "ops",
                (rate(m.BATCHES, "service", where=MINE), "{{service}}"),
            ),
            graph(
                "Messages a commit",
                "Commands, events and results together.",
                "none",
                (mean(m.BATCH_SIZE, "service", where=MINE), "{{service}} mean"),
                (quantile(m.BATCH_SIZE, 0.95, "service", where=MINE), "{{service}} p95"),
            ),
            graph(
                "Time of a commit",
                "Deciding and writing. Slow and large is load; slow and small is the database.",
                "s",
                (quantile(m.COMMIT_SECONDS, 0.5, "service", where=MINE), "{{service}} p50"),
                (quantile(m.COMMIT_SECONDS, 0.99, "service", where=MINE), "{{service}} p99"),
                runbook="KamengReaderBehind",
            ),
            graph(
                "Trouble a minute",
                "Commits tried again after database errors, unreadable messages dropped, pulls for lost events.",
                "none",
                (f"60 * {rate(m.BATCH_RETRIES, 'service', where=MINE)}", "{{service}} retries"),
                (f"60 * {rate(m.DROPPED, 'service', where=MINE)}", "{{service}} dropped"),
                (f"60 * {rate(m.PULLS, 'service', where=MINE)}", "{{service}} pulls"),
            ),
            graph(
                "Parked messages",
                "Each holds back its key.",
                "none",
                (now(m.PARKED, "service", where=MINE), "{{service}}"),
                runbook="KamengMessagesParked",
            ),
        )
        .row(
            "Reading, later, outside",
            graph(
                "Behind, in events",
                "Of each log that it reads.",
                "none",
                (now(m.LOG_LAG, "service", "source", where=MINE), "{{service}} of {{source}}"),
                runbook="KamengReaderBehind",
            ),
            graph(
                "Behind, in seconds",
                "How long the first event not applied has been known.",
                "s",
                (now(m.LOG_LAG_SECONDS, "service", "source", where=MINE), "{{service}} of {{source}}"),
                runbook="KamengReaderBehind",
            ),
            graph(
                "Agenda",
                "Scheduled items, and those that failed for the last time.",
                "none",
                (now(m.AGENDA_WAITING, "service", where=MINE), "{{service}} waiting"),
                (now(m.AGENDA_FAILED, "service", where=MINE), "{{service}} failed"),
                runbook="KamengAgendaStuck",
            ),
            graph(
                "Calls to the outside a second",
                f"Made by {callers}. `error` is tried again.",
                "ops",
                (rate(m.CALLS, "service", "effect", "outcome", where=MINE), "{{service}} {{effect}} {{outcome}}"),
                runbook="KamengCallsFailing",
            ),
            graph(
                "Time of such calls, p95",
                "By effect and partner.",
                "s",
                (quantile(m.CALL_SECONDS, 0.95, "service", "effect", "partner", where=MINE), "{{effect}} {{partner}}"),
                runbook="KamengSupplierDown",
            ),
            graph(
                "Not yet published",
                "Age of the first event that is not published to outside subscribers.",
                "s",
                (now(m.PUBLISHER_OLDEST_SECONDS, "service", where=MINE), "{{service}}"),
                runbook="KamengPublisherStuck",
            ),
        )
        .row(
            "What it costs",
            graph(
                "Processors",
                "In use, by process.",
                "none",
                (rate(m.PROCESS_CPU, "service", "process", where=MINE), "{{service}} {{process}}"),
            ),
            graph(
                "Memory",
                "In use, by process.",
                "bytes",
                (f"sum by (service, process) ({m.PROCESS_MEMORY.name}{{{MINE}}})", "{{service}} {{process}}"),
            ),
            graph(
                "Database on disk",
                "Grows with the log, which is kept.",
                "bytes",
                (now(m.DATABASE_SIZE, "service", where=MINE), "{{service}}"),
            ),
        )
    )
