"""Validates an AsyncAPI document by the AsyncAPI project's own parser, which runs on Node.js.

Node.js is for this alone and optional: where it, or the parser, can't be had, `Unavailable` says so. The parser is
pinned in `package-lock.json` and installed under `var/`, once.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

HERE, ROOT = Path(__file__).parent, Path(__file__).parents[3]
PINS = ("package.json", "package-lock.json")
INSTALL_SECONDS, PARSE_SECONDS = 300, 120
MOST_SAID = 500


class Unavailable(RuntimeError):
    """Node.js or the parser is not here, and can't be had."""


def problems(document: Path) -> list[dict[str, Any]]:
    """What the parser says against a document: nothing, when it is valid. Raises Unavailable."""
    command = [_found("node"), str(HERE / "validate.cjs"), str(document.resolve())]
    done = subprocess.run(command, cwd=_parser(), capture_output=True, text=True, timeout=PARSE_SECONDS)
    found = [json.loads(line) for line in done.stdout.splitlines()]
    if done.returncode not in (0, 1) or not found:
        raise RuntimeError(f"the parser broke off: {done.stderr[-MOST_SAID:]}")
    return found if done.returncode else []


def _parser() -> Path:
    """The folder in which the pinned parser is installed."""
    pinned = hashlib.sha256(b"".join((HERE / name).read_bytes() for name in PINS)).hexdigest()[:12]
    place = ROOT / "var" / "asyncapi" / pinned
    if not place.exists():
        place.parent.mkdir(parents=True, exist_ok=True)
        making = Path(mkdtemp(dir=place.parent))
        try:
            _install(making)
            making.rename(place)
        except OSError:
            if not place.exists():  # another process may have been faster
                raise
        finally:
            shutil.rmtree(making, ignore_errors=True)
    return place


def _install(place: Path) -> None:
    for name in PINS:
        shutil.copy(HERE / name, place)
    command = [_found("npm"), "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    try:
        done = subprocess.run(command, cwd=place, capture_output=True, text=True, timeout=INSTALL_SECONDS)
    except subprocess.TimeoutExpired:
        raise Unavailable(f"npm did not install the parser within {INSTALL_SECONDS} s") from None
    if done.returncode:
        raise Unavailable(f"npm can't install the parser: {done.stderr.strip()[-MOST_SAID:]}")


def _found(program: str) -> str:
    path = shutil.which(program)
    if path is None:
        raise Unavailable(f"no {program} on PATH: install Node.js 18 or later")
    return path
