"""Makes folders private to their owner, whatever the umask."""

from __future__ import annotations

import os
from pathlib import Path

OTHERS = 0o077
# Servers of a cluster run as other users: they may pass through its folder, but not list it.
PASSABLE = 0o711


def private_folder(folder: Path, mode: int = 0o700) -> int:
    """Create a folder with this mode, or set the mode, and remove other users' permissions from everything in it.

    Files of other users are left alone, and links are not followed. Returns how many files and folders were changed.
    """
    folder.mkdir(mode=mode, parents=True, exist_ok=True)
    return _limit(folder, mode) + sum(_tightened(Path(root), folders, files) for root, folders, files in _walk(folder))


def _walk(folder: Path) -> list[tuple[str, list[str], list[str]]]:
    found: list[tuple[str, list[str], list[str]]] = []
    for root, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if _is_mine(Path(root, name))]
        found.append((root, list(folders), files))
    return found


def _tightened(root: Path, folders: list[str], files: list[str]) -> int:
    return sum(_limit(root / name, None) for name in (*folders, *files) if _is_mine(root / name))


def _is_mine(path: Path) -> bool:
    try:
        return not path.is_symlink() and path.stat().st_uid == os.geteuid()
    except FileNotFoundError:
        return False


def _limit(path: Path, mode: int | None) -> int:
    """1 if the mode had to be changed."""
    try:
        now = path.stat().st_mode & 0o777
        wanted = now & ~OTHERS if mode is None else mode
        if now != wanted:
            path.chmod(wanted)
    except (FileNotFoundError, PermissionError):  # gone meanwhile, or another user's
        return 0
    return int(now != wanted)
