"""`python -m tests.published.asyncapi`: validate docs/events/asyncapi.json; 1 when it is not valid.

Without Node.js it says that nothing was validated, and ends with 0.
"""

from __future__ import annotations

import sys

from tests.published.asyncapi import ROOT, Unavailable, problems


def main() -> int:
    try:
        found = problems(ROOT / "docs" / "events" / "asyncapi.json")
    except Unavailable as unavailable:
        print(f"SKIPPED: docs/events/asyncapi.json was not validated: {unavailable}", file=sys.stderr)
        return 0
    for one in found:
        print(f"docs/events/asyncapi.json: {one}", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
