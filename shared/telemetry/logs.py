"""Configures structured logs: JSON lines, or colours in a terminal; log lines of libraries included."""

from __future__ import annotations

import json
import logging
import os
import sys
import threading
from pathlib import Path
from types import TracebackType
from typing import TextIO

import orjson
import structlog
from structlog.typing import EventDict, Processor

from shared.telemetry.redaction import redact

LOG_LEVEL = "KAMENG_LOG_LEVEL"
LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
_NUMBERS = {level.lower(): logging.getLevelNamesMapping()[level] for level in LEVELS}
_written_from = logging.DEBUG
logger = structlog.get_logger()


def configure_logs(*, service: str = "", level: str = "INFO", file: Path | None = None) -> None:
    """Send log lines to a file as JSON, or to standard error: in colour for a terminal, as JSON otherwise.

    Each line has `service`, unless it names one itself. KAMENG_LOG_LEVEL takes precedence over `level`. Libraries log
    warnings only. Tracebacks have no values of variables; texts that look like secrets are redacted. Raises SystemExit
    for an unknown level.
    """
    level = os.environ.get(LOG_LEVEL, "").upper() or level
    if level not in LEVELS:
        sys.exit(f"{LOG_LEVEL} must be one of {', '.join(LEVELS)}.")
    stream = file.open("a", encoding="utf-8") if file else sys.stderr
    structlog.configure(
        processors=_pipeline(service, stream),
        wrapper_class=structlog.make_filtering_bound_logger(_NUMBERS[level.lower()]),
        logger_factory=structlog.WriteLoggerFactory(file=stream),
        cache_logger_on_first_use=False,
    )
    global _written_from
    _written_from = _NUMBERS[level.lower()]
    _listen_to_libraries()
    if not stream.isatty():
        sys.excepthook = _uncaught
        if threading.excepthook is threading.__excepthook__:
            threading.excepthook = _uncaught_in_thread


def says(level: str) -> bool:
    """Whether lines of this level (`info`) are written, so that callers can skip making them."""
    return _NUMBERS[level] >= _written_from


def bind(**facts: object) -> None:
    """Add these facts to the later lines of this context; None values are left out."""
    structlog.contextvars.bind_contextvars(**{name: fact for name, fact in facts.items() if fact is not None})


def _pipeline(service: str, stream: TextIO) -> list[Processor]:
    def name_service(_logger: object, _method: str, line: EventDict) -> EventDict:
        line.setdefault("service", service)
        return line

    for_people = stream.isatty()
    tracebacks = (
        structlog.processors.format_exc_info
        if for_people
        else structlog.processors.ExceptionRenderer(structlog.tracebacks.ExceptionDictTransformer(show_locals=False))
    )
    renderer = structlog.dev.ConsoleRenderer() if for_people else structlog.processors.JSONRenderer(_json)
    return [
        structlog.contextvars.merge_contextvars,
        *([name_service] if service else []),
        tracebacks,
        redact,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        renderer,
    ]


def _json(line: EventDict, **_: object) -> str:
    try:
        return orjson.dumps(line).decode()
    except orjson.JSONEncodeError:  # integers beyond 64 bits, lone surrogates
        return json.dumps(line, default=repr)


class Libraries(logging.Handler):
    """Passes lines of Python's logging to structlog, with the library's name as `logger`."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            said = record.getMessage()
        except Exception:  # noqa: BLE001 - a library's mistake, which logging itself would print with all values
            said = str(record.msg)
        level = max((known for known in _NUMBERS.values() if known <= record.levelno), default=logging.DEBUG)
        logger.log(level, said, logger=record.name, exc_info=record.exc_info or None)


def _listen_to_libraries() -> None:
    root = logging.getLogger()
    for library in (root, *root.manager.loggerDict.values()):
        if isinstance(library, logging.Logger):  # a library's own stream handler would bypass structlog
            library.handlers[:] = [
                one for one in library.handlers if not isinstance(one, logging.StreamHandler | Libraries)
            ]
            library.propagate = True
    root.addHandler(Libraries())
    root.setLevel(max(logging.WARNING, _written_from))
    logging.captureWarnings(True)


def _uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)
    else:
        logger.critical("uncaught", exc_info=(kind, error, trace))


def _uncaught_in_thread(args: threading.ExceptHookArgs) -> None:
    if args.exc_value is not None and args.exc_type is not SystemExit:
        thread = args.thread.name if args.thread else ""
        logger.critical("uncaught", thread=thread, exc_info=(args.exc_type, args.exc_value, args.exc_traceback))
