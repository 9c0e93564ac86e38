"""The servers' programs: found where Debian's packages put them, or installed from there when we may."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from deploy.local.processes import SEARCH_PATH, run
from deploy.local.waiting import InfrastructureError

INSTALL_SECONDS = 900
_LOCK = Path(tempfile.gettempdir()) / f"kameng-install-{os.geteuid()}.lock"
_DEBIAN_POSTGRES = Path("/usr/lib/postgresql")
# The one in PATH insists on being root or rabbitmq; this one runs as anybody.
_DEBIAN_RABBITMQ = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
RABBITMQ_VARIABLE = "KAMENG_RABBITMQ_SERVER"

# Installing starts a package's service unless policy-rc.d forbids it, and enables it for the next boot.
_SCRIPT = """
set -eu
policy=/usr/sbin/policy-rc.d
saved=$policy.before-kameng
restore() { rm -f "$policy"; if [ -e "$saved" ]; then mv "$saved" "$policy"; fi; }
if [ -e "$policy" ] && [ ! -e "$saved" ]; then mv "$policy" "$saved"; fi
trap restore EXIT
trap 'exit 1' HUP INT TERM
printf '#!/bin/sh\\nexit 101\\n' > "$policy"
chmod 755 "$policy"
export DEBIAN_FRONTEND=noninteractive
install() { apt-get -o DPkg::Lock::Timeout=300 install -y --no-install-recommends "$@"; }
enabled() { ls /etc/systemd/system/*.wants 2>/dev/null | sort -u; }
before=$(enabled)
install "$@" || { apt-get update; install "$@"; }
for unit in $(enabled); do
    case "$unit" in *.service|*.socket) ;; *) continue ;; esac
    printf '%s\n' "$before" | grep -qxF "$unit" || systemctl disable "$unit" || true
done
"""


def postgres_programs(major: str | None = None) -> Path | None:
    """The folder of initdb and postgres: of this major version if given and present, else the newest; None if none."""
    found = [
        path.parent
        for path in _DEBIAN_POSTGRES.glob("*/bin/initdb")
        if path.parts[-3].isdigit() and (path.parent / "postgres").exists()
    ]
    if found:
        return max(found, key=lambda folder: (folder.parts[-2] == major, int(folder.parts[-2])))
    elsewhere = shutil.which("initdb")
    return Path(elsewhere).resolve().parent if elsewhere else None


def rabbitmq_server() -> Path | None:
    """The script that runs RabbitMQ: the one that the environment names, or else Debian's; None if there is none."""
    if given := os.environ.get(RABBITMQ_VARIABLE):
        return Path(given)
    if _DEBIAN_RABBITMQ.exists():
        return _DEBIAN_RABBITMQ
    elsewhere = shutil.which("rabbitmq-server")
    return Path(elsewhere).resolve() if elsewhere else None


def prometheus_programs() -> Path | None:
    """The folder of prometheus and promtool; None if there is none."""
    found = shutil.which("promtool", path=f"{os.environ.get('PATH', '')}:{SEARCH_PATH}")
    folder = Path(found).parent if found else None
    return folder if folder and (folder / "prometheus").exists() else None


SERVERS = ("postgresql", "rabbitmq-server")
_PROGRAMS: Mapping[str, Callable[[], Path | None]] = {
    "postgresql": postgres_programs,
    "rabbitmq-server": rabbitmq_server,
    "prometheus": prometheus_programs,
}


def ensure_installed(log: Path, told: Callable[[str], None], packages: Sequence[str] = SERVERS) -> None:
    """Install what is missing, with Debian's packages, their own services neither started nor enabled.

    Raises InfrastructureError that says what to install when we may not, and when the installation fails.
    """
    if not _missing(packages):
        return
    with _LOCK.open("w") as lock:  # one at a time on this machine
        fcntl.flock(lock, fcntl.LOCK_EX)
        if missing := _missing(packages):
            _install(missing, log, told)


def _install(missing: list[str], log: Path, told: Callable[[str], None]) -> None:
    names = " ".join(missing)
    if shutil.which("apt-get") is None or (as_root := _as_root()) is None:
        elsewhere = " Or start Docker, or give addresses in KAMENG_POSTGRES_URL and KAMENG_AMQP_URL."
        raise InfrastructureError(
            f"{names}: not installed, and not ours to install here. Run `apt-get install {names}` as root."
            + (elsewhere if set(missing) & set(SERVERS) else "")
        )
    told(f"Installing {names} (packages of the system; takes a minute)")
    run([*as_root, "sh", "-c", _SCRIPT, "install", *missing], log=log, seconds=INSTALL_SECONDS)
    if still := _missing(missing):
        raise InfrastructureError(f"{' '.join(still)}: installed, but its programs are not where they should be")


def _missing(packages: Sequence[str]) -> list[str]:
    return [package for package in packages if _PROGRAMS[package]() is None]


def _as_root() -> list[str] | None:
    if os.geteuid() == 0:
        return []
    sudo = shutil.which("sudo", path=SEARCH_PATH)
    if sudo is None:
        return None
    allowed = subprocess.run([sudo, "-n", "true"], capture_output=True, check=False)  # noqa: S603 - our own command
    return [sudo, "-n"] if allowed.returncode == 0 else None
