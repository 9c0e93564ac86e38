"""`python -m shared.published check|write` checks or writes docs/events and docs/reference/kernel.md.

`check` fails when the files differ from the contracts and the modules' docstrings. Both fail on a change that would
break a subscriber, and write nothing then.
"""

from __future__ import annotations

import argparse
import sys
from datetime import UTC, datetime

from shared.published.event_versions import event_versions
from shared.published.fields import Unsaid
from shared.published.files import HOME, stored, write
from shared.published.kernel_page import PAGE, kernel_page
from shared.published.missing_steps import missing_steps
from shared.published.review import WRITE, reviewed


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m shared.published", description=__doc__)
    parser.add_argument("what", choices=("check", "write"), help="compare the files with the code, or write them")
    is_check = parser.parse_args().what == "check"
    if missing := missing_steps(event_versions()):
        return _fail("the contracts have a gap", missing)
    try:
        found, made = reviewed(stored(HOME), event_versions(), datetime.now(UTC).date())
        page = kernel_page()
    except Unsaid as unsaid:
        return _fail("a meaning is missing", [str(unsaid)])
    if found.breaking:
        return _fail("this would break subscribers; nothing was written", found.breaking)
    if is_check and found.stale:
        return _fail(f"docs/events is not what the contracts say. It harms no subscriber: {WRITE}", [
            *found.harmless, *(f"differs: docs/events/{path}" for path in found.stale)
        ])  # fmt: skip
    if is_check and (not PAGE.exists() or PAGE.read_text(encoding="utf-8") != page):
        return _fail(f"docs/reference/kernel.md is not what the modules say: {WRITE}", [])
    if not is_check:
        write(HOME, made)
        PAGE.parent.mkdir(parents=True, exist_ok=True)
        PAGE.write_text(page, encoding="utf-8")
        print("\n".join([f"docs/events: {len(found.stale)} files written", *found.harmless]))
    return 0


def _fail(what: str, details: list[str]) -> int:
    print(f"published: {what}.", *details, sep="\n", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
