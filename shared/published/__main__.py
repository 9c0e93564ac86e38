"""`python -m shared.published check|write`: are the files under docs/events what the contracts say? Make them so.

`check` fails when they differ; `write` writes them. Both fail on what would break a subscriber, and write nothing then.
"""

from __future__ import annotations

import argparse
import sys
from datetime import UTC, datetime

from shared.published.event_versions import event_versions
from shared.published.fields import Unsaid
from shared.published.files import HOME, stored, write
from shared.published.gaps import gaps
from shared.published.review import WRITE, reviewed


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m shared.published", description=__doc__)
    parser.add_argument("what", choices=("check", "write"), help="hold the files to the contracts, or write them")
    is_check = parser.parse_args().what == "check"
    if missing := gaps(event_versions()):
        return _fail("the contracts have a gap", missing)
    try:
        found, made = reviewed(stored(HOME), event_versions(), datetime.now(UTC).date())
    except Unsaid as unsaid:
        return _fail("subscribers are told too little", [str(unsaid)])
    if found.breaking:
        return _fail("this would break subscribers; nothing was written", found.breaking)
    if is_check and found.stale:
        return _fail(f"docs/events is not what the contracts say. It harms no subscriber: {WRITE}", [
            *found.harmless, *(f"differs: docs/events/{path}" for path in found.stale)
        ])  # fmt: skip
    if not is_check:
        write(HOME, made)
        print("\n".join([f"docs/events: {len(found.stale)} files written", *found.harmless]))
    return 0


def _fail(what: str, told: list[str]) -> int:
    print(f"events: {what}.", *told, sep="\n", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
