"""Named secrets: 32 random bytes each, one file a secret, made at first use."""

from __future__ import annotations

import os
import re
import tempfile
from base64 import urlsafe_b64encode
from collections.abc import Callable
from pathlib import Path

LENGTH = 32
SHORTEST = 16
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")


class NoSecret(RuntimeError):
    """A secret can't be had: its name fits no file, its file can't be read or is too short, or it is missing and can't
    be made, as where an orchestrator mounts the folder. Says which, and nothing of its bytes."""


class Secrets:
    """The secrets under `directory` (mode 0700), files of mode 0600 named after them.

    A file that an operator put there is used as it is. Several processes may share the directory: the first that makes
    a secret wins, and all get its bytes.
    """

    def __init__(self, directory: Path, random_bytes: Callable[[int], bytes] = os.urandom) -> None:
        self._directory, self._random_bytes = directory, random_bytes
        self._known: dict[str, bytes] = {}

    def __repr__(self) -> str:
        return f"Secrets({str(self._directory)!r})"

    def get(self, name: str) -> bytes:
        """The secret of this name. Raises NoSecret."""
        if name not in self._known:
            self._known[name] = self._read_or_create(name)
        return self._known[name]

    def text(self, name: str) -> str:
        """The secret as URL-safe base64 without padding."""
        return urlsafe_b64encode(self.get(name)).rstrip(b"=").decode()

    def _read_or_create(self, name: str) -> bytes:
        if not _NAME.fullmatch(name):
            raise NoSecret(f"{name!r} cannot name a secret: 1 to 80 letters, digits and . _ -, a letter or digit first")
        path = self._directory / name
        if not path.exists():
            try:
                self._create(path)
            except OSError as error:
                raise NoSecret(f"{path} is missing and can't be made: {error.strerror}") from error
        try:
            secret = path.read_bytes()
        except OSError as error:
            raise NoSecret(f"{path} can't be read: {error.strerror}") from error
        if len(secret) < SHORTEST:
            raise NoSecret(f"{path} is too short: a secret has {SHORTEST} bytes or more, and it has {len(secret)}")
        return secret

    def _create(self, path: Path) -> None:
        """Write a draft and link it to the secret's name: no process reads half a secret, and the first one wins."""
        for folder in (self._directory.parent, self._directory):  # the data folder's may be made here as well
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, draft = tempfile.mkstemp(prefix=".draft-", dir=self._directory)  # O_EXCL, mode 0600
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(self._random_bytes(LENGTH))
                file.flush()
                os.fsync(file.fileno())
            try:
                os.link(draft, path)
            except FileExistsError:
                return
            self._sync_directory()
        finally:
            os.unlink(draft)

    def _sync_directory(self) -> None:
        handle = os.open(self._directory, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
