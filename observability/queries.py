"""The selectors in a query, and whether their names exist."""

from __future__ import annotations

import re
from collections.abc import Iterator

from observability import declared

# Series of RabbitMQ's plugin rabbitmq_prometheus. `make observe` checks that a broker reports them.
RABBITMQ = frozenset(
    {
        "rabbitmq_alarms_file_descriptor_limit",
        "rabbitmq_alarms_free_disk_space_watermark",
        "rabbitmq_alarms_memory_used_watermark",
        "rabbitmq_build_info",
        "rabbitmq_channels",
        "rabbitmq_connections",
        "rabbitmq_disk_space_available_bytes",
        "rabbitmq_disk_space_available_limit_bytes",
        "rabbitmq_global_messages_delivered_total",
        "rabbitmq_global_messages_received_total",
        "rabbitmq_global_messages_unroutable_dropped_total",
        "rabbitmq_process_resident_memory_bytes",
        "rabbitmq_queue_messages",
        "rabbitmq_queue_messages_ready",
        "rabbitmq_queue_messages_unacked",
        "rabbitmq_queues",
        "rabbitmq_resident_memory_limit_bytes",
    }
)
OURS = frozenset(series for metric in declared.ALL for series in metric.series)
KEYWORDS = frozenset({"and", "or", "unless", "bool", "offset", "by", "without", "on", "ignoring"})
_GROUPING = re.compile(r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)")
_SELECTOR = re.compile(r"(?<![\w.:])([a-zA-Z_:][\w:]*)\s*(\{[^}]*\})?(?![\w:]*\s*\()")
_RANGE = re.compile(r"\[[^]]*\]")


def selectors(expression: str) -> Iterator[tuple[str, str]]:
    """The name and the selector, such as `a{b="c"}`, of each series that a query asks for."""
    bare = _RANGE.sub(" ", _GROUPING.sub(" ", expression))
    for found in _SELECTOR.finditer(bare):
        name, labels = found.group(1), found.group(2) or ""
        if name not in KEYWORDS:
            yield name, name + labels


def unknown(expression: str, recorded: frozenset[str] = frozenset()) -> set[str]:
    """The names in a query that neither Kameng nor RabbitMQ nor a recording rule has."""
    return {name for name, _ in selectors(expression)} - OURS - RABBITMQ - recorded
