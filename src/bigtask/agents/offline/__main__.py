"""`python -P -m bigtask.agents.offline [--read-only]`, in the directory of the project.

Without `-P` Python would look for modules in that directory first, and run a project's `types.py` as ours.
"""

from __future__ import annotations

import os
import sys


def main() -> None:
    if not sys.flags.safe_path:
        again = [sys.executable, "-P", "-m", "bigtask.agents.offline", *sys.argv[1:]]
        os.execv(sys.executable, again)  # noqa: S606 - ourselves
    # Imported here: above, a module of the project could still take a library's place.
    from pathlib import Path

    from bigtask.agents.offline.conversation import Conversation

    # Whatever a library prints goes to stderr: stdout carries wire lines only.
    wire = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    Conversation(sys.stdin.buffer, wire, Path.cwd(), read_only="--read-only" in sys.argv).run()
    sys.stderr.flush()
    # The reading thread may hold stdin's lock, on which a regular exit would fail.
    os._exit(0)


if __name__ == "__main__":
    main()
