"""What the machine shows of a process and a port, to anybody who looks."""

from __future__ import annotations

from pathlib import Path

_LISTENING = "0A"
_LOOPBACK = {"0100007F", "00000000000000000000000001000000"}


def exposed(port: int) -> list[str]:
    """The addresses, besides those of loopback, on which somebody listens at this port (as the kernel writes them)."""
    found: list[str] = []
    for table in (Path("/proc/net/tcp"), Path("/proc/net/tcp6")):
        rows = [line.split() for line in table.read_text().splitlines()[1:]] if table.exists() else []
        found += [
            row[1].split(":")[0] for row in rows if row[3] == _LISTENING and int(row[1].split(":")[1], 16) == port
        ]
    return [address for address in found if address not in _LOOPBACK]


def shown(pid: int) -> str:
    """The command line and the environment of a process; nothing when it has just ended."""
    try:
        return "".join(Path(f"/proc/{pid}/{name}").read_text(errors="replace") for name in ("cmdline", "environ"))
    except (FileNotFoundError, ProcessLookupError):
        return ""


def owner(pid: int) -> int | None:
    """The user number it runs as; None when it has just ended."""
    try:
        return Path(f"/proc/{pid}").stat().st_uid
    except (FileNotFoundError, ProcessLookupError):
        return None
