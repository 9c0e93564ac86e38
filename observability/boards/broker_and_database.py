"""RabbitMQ as its own plugin tells, PostgreSQL as each writer sees its database."""

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
            "RabbitMQ, as its own plugin tells; PostgreSQL, as each writer sees its own database.",
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
                "Memory, disk or files: while one is on, the broker takes nothing in.",
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
                "Into the broker, and out of it. A slice to six readers is one in and six out.",
                "ops",
                (f"sum(rate(rabbitmq_global_messages_received_total[{INTERVAL}]))", "in"),
                (f"sum(rate(rabbitmq_global_messages_delivered_total[{INTERVAL}]))", "out"),
            ),
            graph(
                "Messages in queues",
                "Ready to be taken, or taken and not acknowledged. Ready ones of a subscriber that is away stay.",
                "none",
                ("sum(rabbitmq_queue_messages_ready)", "ready"),
                ("sum(rabbitmq_queue_messages_unacked)", "not acknowledged"),
            ),
            graph(
                "Connections, channels, queues",
                "Steady while nobody restarts.",
                "none",
                ("sum(rabbitmq_connections)", "connections"),
                ("sum(rabbitmq_channels)", "channels"),
                ("sum(rabbitmq_queues)", "queues"),
            ),
            graph(
                "Memory",
                "At the limit the broker takes nothing more in.",
                "bytes",
                ("sum(rabbitmq_process_resident_memory_bytes)", "in use"),
                ("sum(rabbitmq_resident_memory_limit_bytes)", "limit"),
                runbook="KamengBrokerAlarm",
            ),
            graph(
                "Disk left",
                "Below its limit the broker takes nothing more in.",
                "bytes",
                ("min(rabbitmq_disk_space_available_bytes)", "left"),
                ("max(rabbitmq_disk_space_available_limit_bytes)", "limit"),
                runbook="KamengBrokerAlarm",
            ),
            graph(
                "Messages that nobody took a second",
                "Published where no queue is bound: events that nobody outside subscribes to.",
                "ops",
                (f"sum(rate(rabbitmq_global_messages_unroutable_dropped_total[{INTERVAL}]))", "dropped"),
            ),
        )
        .row(
            "PostgreSQL",
            graph("Commits a second", "By service.", "ops", (rate(m.DATABASE_COMMITS, "service"), "{{service}}")),
            graph(
                "Rollbacks and deadlocks a minute",
                "A rollback now and then is a message that was tried again; deadlocks are ours to explain.",
                "none",
                (f"60 * {rate(m.DATABASE_ROLLBACKS, 'service')}", "{{service}} rollbacks"),
                (f"60 * {rate(m.DATABASE_DEADLOCKS, 'service')}", "{{service}} deadlocks"),
            ),
            graph(
                "Found in memory",
                "Share of blocks; much below 99 % the server wants more memory.",
                "percentunit",
                (f"{HIT} / ({HIT} + {READ})", "{{service}}"),
            ),
            graph("Connections", "By service.", "none", (now(m.DATABASE_CONNECTIONS, "service"), "{{service}}")),
            graph(
                "Oldest transaction",
                "An old one keeps dead rows from being cleared away.",
                "s",
                (now(m.DATABASE_OLDEST_SECONDS, "service"), "{{service}}"),
                runbook="KamengDatabaseDown",
            ),
            graph("On disk", "By service.", "bytes", (now(m.DATABASE_SIZE, "service"), "{{service}}")),
        )
    )
