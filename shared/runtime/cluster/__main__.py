"""`python -m shared.runtime.cluster package.module:NAME [reader …]` runs the writer of the service declared there.

The readers are the names of the services that read its log.
"""

from __future__ import annotations

import sys
from importlib import import_module

from shared.runtime.cluster.green import make_green


def main() -> None:
    """Monkey-patch first: modules that wait for sockets or locks must be imported after that."""
    make_green()
    from shared.runtime.cluster.running import run

    module, _, name = sys.argv[1].partition(":")
    run(getattr(import_module(module), name), sys.argv[2:])


if __name__ == "__main__":
    main()
