"""`bigtask` on a slow disk, which kills itself when a session has begun and that isn't recorded yet.

The first argument is the session's task, the second the file that says that the session has begun; the rest
are those of the command.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from bigtask.cli import main
from bigtask.core.events import Event, WorkerStarted
from bigtask.host import access
from bigtask.host.log import Watch

_SLOW_S = 0.03
"""Longer than a commit may take that is made in the event loop: the others are made beside it."""


def watching(task: str, begun: Path) -> Watch:
    def watch(now: str, events: Sequence[Event]) -> None:
        if now != "before":
            return
        time.sleep(_SLOW_S)
        if any(isinstance(event.data, WorkerStarted) and event.data.task_id == task for event in events):
            while not begun.exists():
                time.sleep(_SLOW_S)
            os.kill(os.getpid(), signal.SIGKILL)

    return watch


if __name__ == "__main__":
    _, task, begun, *arguments = sys.argv

    def watch_from(environ: Mapping[str, str]) -> Watch:
        return watching(task, Path(begun))

    access.watch_from = watch_from
    sys.argv = ["bigtask", *arguments]
    main()
