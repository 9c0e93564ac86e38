"""Structured logs, as JSON lines for machines or in colour for a person at a terminal."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

import structlog


def configure_logs(*, level: str = "INFO", file: Path | None = None) -> None:
    """Send log lines to a file as JSON, or to standard error: in colour for a terminal, as JSON otherwise.

    Tracebacks are logged without the values of variables, which may be secret.
    """
    stream = file.open("a", encoding="utf-8") if file else sys.stderr
    processors: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    if file is None and stream.isatty():
        processors.append(structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback))
    else:
        tracebacks = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
        processors.append(structlog.processors.ExceptionRenderer(tracebacks))
        processors.append(structlog.processors.JSONRenderer(ensure_ascii=False))
    structlog.configure(
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level]),
        logger_factory=structlog.WriteLoggerFactory(file=stream),
        cache_logger_on_first_use=False,
    )
