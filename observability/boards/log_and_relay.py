"""How events travel: logs, readers, log servers, publishers."""

from __future__ import annotations

from observability.boards.panels import Board, figure, graph, mean, now, rate
from services.gateway import metrics as gateway
from shared.telemetry import metrics as m


def board() -> Board:
    return (
        Board(
            "log-and-relay", "Kameng: log and relay", "How events travel: from log to log, and to subscribers outside."
        )
        .row(
            "Now",
            figure(
                "Furthest behind", "Of all readers.", "s", now(m.LOG_LAG_SECONDS), red=60, runbook="KamengReaderBehind"
            ),
            figure(
                "Events behind",
                "Of all readers together.",
                "none",
                f"sum({now(m.LOG_LAG, 'service', 'source')})",
                red=100_000,
                runbook="KamengReaderBehind",
            ),
            figure(
                "Oldest unpublished event",
                "Of all logs.",
                "s",
                now(m.PUBLISHER_OLDEST_SECONDS),
                red=300,
                runbook="KamengPublisherStuck",
            ),
            figure(
                "Publishers held up",
                "Publishers with an event that the broker does not accept, or that no queue is bound for.",
                "none",
                f"sum({now(m.PUBLISHER_HELD, 'service')})",
                red=1,
                runbook="KamengPublisherStuck",
            ),
            figure(
                "Log servers with a broker",
                "Of seven.",
                "none",
                f"sum({now(m.LOG_SERVER_CONNECTED, 'service')})",
                red=7,
                below=True,
                runbook="KamengLogServerDown",
            ),
            figure(
                "Publishers with a broker",
                "One a service where subscribers outside are served.",
                "none",
                f"sum({now(m.PUBLISHER_CONNECTED, 'service')})",
            ),
        )
        .row(
            "Logs and their readers",
            graph(
                "Events a second, by log",
                "Appended by the log's writer.",
                "ops",
                (rate(m.EVENTS, "service"), "{{service}}"),
            ),
            graph(
                "Behind, in seconds",
                "Reader of source.",
                "s",
                (now(m.LOG_LAG_SECONDS, "service", "source"), "{{service}} of {{source}}"),
                runbook="KamengReaderBehind",
            ),
            graph(
                "Another log than was read",
                "Reader of source. 1: the log was set back or changed since it was read, or its log server is silent.",
                "none",
                (now(m.LOG_DIVERGED, "service", "source"), "{{service}} of {{source}}"),
                (now(m.LOG_UNANNOUNCED, "service", "source"), "{{service}} hears nothing of {{source}}"),
                runbook="KamengLogDiverged",
            ),
            graph(
                "Events of unknown types",
                "Reader of source, type, since the reader's writer started.",
                "none",
                (now(m.EVENTS_UNKNOWN, "service", "source", "type"), "{{service}} of {{source}}: {{type}}"),
                runbook="KamengEventsUnknown",
            ),
            graph(
                "Clocks",
                "Ahead of the database's, by service.",
                "s",
                (now(m.CLOCK_AHEAD, "service"), "{{service}}"),
                runbook="KamengClockOff",
            ),
            graph(
                "Behind, in events",
                "Reader of source.",
                "none",
                (now(m.LOG_LAG, "service", "source"), "{{service}} of {{source}}"),
                runbook="KamengReaderBehind",
            ),
            graph(
                "Length of the logs", "Position of the last event.", "none", (now(m.LOG_HEAD, "service"), "{{service}}")
            ),
            graph(
                "Messages a commit",
                "Commits are larger under load, so that readers keep up.",
                "none",
                (mean(m.BATCH_SIZE, "service"), "{{service}}"),
            ),
            graph(
                "Pulls a minute",
                "Requests for lost events. Many pulls: the broker drops messages, or a writer restarts.",
                "none",
                (f"60 * {rate(m.PULLS, 'service')}", "{{service}} asks"),
                (f"60 * {rate(m.LOG_SERVER_PULLS, 'service')}", "{{service}} answers"),
                runbook="KamengLogServerDown",
            ),
        )
        .row(
            "To the outside",
            graph(
                "Events published a second",
                "Confirmed by the broker.",
                "ops",
                (rate(m.PUBLISHER_EVENTS, "service"), "{{service}}"),
            ),
            graph(
                "Not yet published, in seconds",
                "Age of the first event that is not published.",
                "s",
                (now(m.PUBLISHER_OLDEST_SECONDS, "service"), "{{service}}"),
                runbook="KamengPublisherStuck",
            ),
            graph(
                "Not yet published, in events",
                "From the last published event to the end of the log.",
                "none",
                (f"{now(m.LOG_SERVER_HEAD, 'service')} - {now(m.PUBLISHER_POSITION, 'service')}", "{{service}}"),
                runbook="KamengPublisherStuck",
            ),
        )
        .row(
            "To webhooks",
            graph(
                "Attempts a second",
                "Deliveries to subscribers' webhooks: taken, failed, given up.",
                "ops",
                (rate(gateway.WEBHOOK_DELIVERED), "delivered"),
                (rate(gateway.WEBHOOK_FAILURES), "failed"),
                (rate(gateway.WEBHOOK_GIVEN_UP), "given up"),
                runbook="KamengWebhooksLate",
            ),
            graph(
                "To be delivered",
                "And how many endpoints are disabled.",
                "none",
                (now(gateway.WEBHOOK_BEHIND), "not dispatched yet"),
                (now(gateway.WEBHOOK_WAITING), "to be tried again"),
                (now(gateway.WEBHOOK_DISABLED), "disabled"),
                runbook="KamengWebhookDisabled",
            ),
            graph(
                "Oldest delivery",
                "How long it has waited.",
                "s",
                (now(gateway.WEBHOOK_OLDEST_SECONDS), "oldest"),
                runbook="KamengWebhooksLate",
            ),
        )
    )
