"""Where a server's files can be: under `var`, unless the user that must run it can't get there."""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path

from deploy.local.processes import Account, run
from deploy.local.waiting import InfrastructureError

ELSEWHERE = Path("/var/lib/kameng")


def place(folder: Path, account: Account) -> Path:
    """Make the folder, owned by the account with mode 0700, and give its real path.

    A clone under /root is closed to the users that servers run as. Such a folder becomes a link to one under ELSEWHERE.
    """
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        if _reachable(folder.parent, account):
            folder.mkdir()
        else:
            folder.unlink(missing_ok=True)
            folder.symlink_to(_elsewhere(folder))
    real = folder.resolve()
    account.own(real)
    real.chmod(0o700)
    return real


def write_private(path: Path, text: str, account: Account) -> None:
    """Write a file that only the account can read, in a folder where the account may have put a link of that name."""
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        account.own(file.fileno())
        file.write(text)


def _elsewhere(folder: Path) -> Path:
    """An empty folder for it, without what a deleted `var` of the same path has left."""
    home = ELSEWHERE / hashlib.sha256(str(folder.parent.absolute()).encode()).hexdigest()[:16]
    for parent in (ELSEWHERE, home):
        parent.mkdir(exist_ok=True)
        parent.chmod(0o711)
    shutil.rmtree(home / folder.name, ignore_errors=True)
    (home / folder.name).mkdir()
    return home / folder.name


def _reachable(folder: Path, account: Account) -> bool:
    if account.uid is None:
        return True
    try:
        run(["test", "-x", str(folder.resolve())], account=account, log=folder / "infrastructure.log")
    except InfrastructureError:
        return False
    return True
