"""RabbitMQ as its plugin reports it, PostgreSQL as each writer reports its own database."""

from __future__ import annotations

from observability.boards.panels import INTERVAL, Board, figure, graph, now, rate
from shared.telemetry import metrics as m

HIT, READ = rate(m.DATABASE_BLOCKS_HIT, "service"), rate(m.DATABASE_BLOCKS_READ, "service")
ALARMS = ("memory_used_watermark", "free_disk_space_watermark", "file_descriptor_limit")


def board() -> Board:
    return (
        Board(
            "broker-and-database",
            "Kameng: broker and database",
            "RabbitMQ as its plugin reports it, PostgreSQL as each writer reports its own database.",
        )
        .row(
            "Now",
            figure(
                "Brokers",
                "Nodes that answer.",
                "none",
                "count(rabbitmq_build_info)",
                red=1,
                below=True,
                runbook="KamengBrokerAlarm",
            ),
            figure(
                "Broker alarms",
                "Memory, disk or files. During an alarm the broker accepts no messages.",
                "none",
                " + ".join(f"sum(rabbitmq_alarms_{alarm})" for alarm in ALARMS),
                red=1,
                runbook="KamengBrokerAlarm",
            ),
            figure(
                "Messages waiting",
                "In all queues, subscribers' included.",
                "none",
                "sum(rabbitmq_queue_messages)",
                red=100_000,
                runbook="KamengBrokerAlarm",
            ),
            figure(
                "Databases that answer",
                "Of seven.",
                "none",
                f"sum({now(m.DATABASE_UP, 'service')})",
                red=7,
                below=True,
                runbook="KamengDatabaseDown",
            ),
            figure(
                "Oldest transaction",
                "Of all services.",
                "s",
                now(m.DATABASE_OLDEST_SECONDS),
                red=60,
                runbook="KamengDatabaseDown",
            ),
            figure("On disk", "All databases together.", "bytes", f"sum({now(m.DATABASE_SIZE, 'service')})"),
        )
        .row(
            "RabbitMQ",
            graph(
                "Messages a second",
                "Into the broker, and out of it. A batch to six readers is one in and six out.",
                "ops",
                (f"sum(rate(rabbitmq_global_messages_received_total[{INTERVAL}]))", "in"),
                (f"sum(rate(rabbitmq_global_messages_delivered_total[{INTERVAL}]))", "out"),
            ),
            graph(
                "Messages in queues",
                "Ready, or taken and not acknowledged. Messages for a subscriber that is away stay ready.",
                "none",
                ("sum(rabbitmq_queue_messages_ready)", "ready"),
                ("sum(rabbitmq_queue_messages_unacked)", "not acknowledged"),
            ),
            graph(
                "Connections, channels, queues",
                "Steady while no process restarts.",
                "none",
                ("sum(rabbitmq_connections)", "connections"),
                ("sum(rabbitmq_channels)", "channels"),
                ("sum(rabbitmq_queues)", "queues"),
            ),
            graph(
                "Memory",
                "At the limit the broker accepts no messages.",
                "bytes",
                ("sum(rabbitmq_process_resident_memory_bytes)", "in use"),
                ("sum(rabbitmq_resident_memory_limit_bytes)", "limit"),
                runbook="KamengBrokerAlarm",
            ),
            graph(
                "Disk left",
                "Below the limit the broker accepts no messages.",
                "bytes",
                ("min(rabbitmq_disk_space_available_bytes)", "left"),
                ("max(rabbitmq_disk_space_available_limit_bytes)", "limit"),
                runbook="KamengBrokerAlarm",
            ),
            graph(
                "Unroutable messages a second",
                "Published without a bound queue: events that no outside subscriber gets.",
                "ops",
                (f"sum(rate(rabbitmq_global_messages_unroutable_dropped_total[{INTERVAL}]))", "dropped"),
            ),
        )
        .row(
            "PostgreSQL",
            graph("Commits a second", "By service.", "ops", (rate(m.DATABASE_COMMITS, "service"), "{{service}}")),
            graph(
                "Rollbacks and deadlocks a minute",
                "A few rollbacks are messages that were tried again. A deadlock is a defect.",
                "none",
                (f"60 * {rate(m.DATABASE_ROLLBACKS, 'service')}", "{{service}} rollbacks"),
                (f"60 * {rate(m.DATABASE_DEADLOCKS, 'service')}", "{{service}} deadlocks"),
            ),
            graph(
                "Found in memory",
                "Share of blocks. Much below 99 %, the server needs more memory.",
                "percentunit",
                (f"{HIT} / ({HIT} + {READ})", "{{service}}"),
            ),
            graph("Connections", "By service.", "none", (now(m.DATABASE_CONNECTIONS, "service"), "{{service}}")),
            graph(
                "Oldest transaction",
                "An old one keeps PostgreSQL from removing dead rows.",
                "s",
                (now(m.DATABASE_OLDEST_SECONDS, "service"), "{{service}}"),
                runbook="KamengDatabaseDown",
            ),
            graph("On disk", "By service.", "bytes", (now(m.DATABASE_SIZE, "service"), "{{service}}")),
        )
    )
