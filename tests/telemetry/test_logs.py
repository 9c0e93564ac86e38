"""Log lines: JSON, by whoever they are said, with their flow and without secrets."""

from __future__ import annotations

import logging
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from shared.telemetry import logs
from shared.telemetry.logs import LOG_LEVEL, Libraries, bind, configure_logs, says
from tests.telemetry.builders import lines_of

SECRET = "hunter2Zq9xW"
Lines = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lines]:
    """Logs go to a file; gives its lines."""
    root, hook = logging.getLogger(), sys.excepthook
    monkeypatch.setattr(logs, "_written_from", logging.DEBUG)
    before, level = root.handlers[:], root.level
    root.handlers.clear()
    structlog.contextvars.clear_contextvars()
    configure_logs(service="order", file=tmp_path / "log")
    yield lambda: lines_of((tmp_path / "log").read_text())
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()
    logging.captureWarnings(False)
    root.handlers[:], sys.excepthook = before, hook
    root.setLevel(level)


def test_a_line_says_when_who_and_what_flow(said: Lines) -> None:
    bind(correlation_id="o-1", order_id=None)
    structlog.get_logger().warning("call failed", error="north answered HTTP 500")

    (line,) = said()
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "call failed", "error": "north answered HTTP 500", "level": "warning", "service": "order",
        "correlation_id": "o-1",
    }  # fmt: skip


def test_a_line_may_name_another_service(said: Lines) -> None:
    structlog.get_logger().info("message parked", service="risk")

    assert said()[0]["service"] == "risk"


@pytest.mark.parametrize("library", ["nameko.containers", "kombu", "pika.adapters", "uvicorn.error", "alembic.runtime"])
def test_what_a_library_says_goes_the_same_way(said: Lines, library: str) -> None:
    logger = logging.getLogger(library)
    before = logger.level
    logger.setLevel(logging.WARNING)
    try:
        logger.warning("no broker at %s", f"amqp://kameng:{SECRET}@broker/")
        logger.info("not said")
    finally:
        logger.setLevel(before)

    (line,) = said()
    assert (line["logger"], line["level"], line["service"]) == (library, "warning", "order")
    assert line["event"] == "no broker at amqp://kameng:[redacted]@broker/"


def test_a_library_that_printed_by_itself_goes_the_same_way_from_then_on(
    tmp_path: Path, said: Lines, capsys: pytest.CaptureFixture[str]
) -> None:
    library = logging.getLogger("library.with.a.stream")
    library.addHandler(logging.StreamHandler(sys.stderr))
    library.propagate = False

    configure_logs(service="order", file=tmp_path / "log")
    library.warning("no broker at %s", f"amqp://kameng:{SECRET}@broker/")

    (line,) = said()
    assert line["event"] == "no broker at amqp://kameng:[redacted]@broker/"
    assert not capsys.readouterr().err


def test_a_library_that_logs_wrongly_is_heard_all_the_same(said: Lines) -> None:
    Libraries().handle(logging.LogRecord("kombu", 40, "", 0, "two %s %s", (SECRET,), None))

    assert said()[0]["event"] == "two %s %s"


def test_warnings_are_lines_too(said: Lines) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(True)
        warnings.warn("soon gone", DeprecationWarning, stacklevel=1)

    assert "soon gone" in said()[0]["event"]


def test_a_traceback_shows_the_place_and_no_values(said: Lines) -> None:
    def fail(password: str) -> None:
        raise ValueError(f"cannot sign in with password={password}")

    try:
        fail(SECRET)
    except ValueError:
        structlog.get_logger().error("broke", exc_info=True)
        logging.getLogger("nameko").error("broke", exc_info=True)

    for line in said():
        (raised,) = line["exception"]
        assert raised["exc_type"] == "ValueError"
        assert raised["frames"][-1]["name"] == "fail"
        assert SECRET not in str(line)


def test_what_is_not_json_is_written_all_the_same(said: Lines) -> None:
    structlog.get_logger().info("odd", big=2**70, half="\ud800", some={1, 2}, made=Path("/var"))

    assert said()[0]["big"] == 2**70


def test_the_environment_says_from_which_level_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: Lines) -> None:
    monkeypatch.setenv(LOG_LEVEL, "error")
    configure_logs(file=tmp_path / "log")
    structlog.get_logger().warning("not said")
    logging.getLogger("kombu").warning("not said")
    structlog.get_logger().error("said")

    assert [line["event"] for line in said()] == ["said"]
    assert (says("warning"), says("error")) == (False, True)


def test_a_level_that_is_none_ends_the_process_with_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(LOG_LEVEL, "chatty")

    with pytest.raises(SystemExit, match="KAMENG_LOG_LEVEL must be one of DEBUG, INFO"):
        configure_logs()


DYING = f"""
import threading
from shared.telemetry import logs
from shared.telemetry.logs import configure_logs
configure_logs(service="order")
def fail():
    raise RuntimeError("no way: password={SECRET}")
thread = threading.Thread(target=fail, name="follower")
thread.start()
thread.join()
fail()
"""


def test_what_nobody_caught_is_a_line_too() -> None:
    ran = subprocess.run([sys.executable, "-c", DYING], capture_output=True, text=True, check=False)

    thread, process = lines_of(ran.stderr)
    assert (ran.returncode, thread["thread"]) == (1, "follower")
    assert thread["level"] == process["level"] == "critical"
    assert process["exception"][0]["exc_type"] == "RuntimeError"
    assert SECRET not in ran.stderr
