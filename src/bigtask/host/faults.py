"""Where crash tests cut in.

`BIGTASK_CRASH_AT="after worker:completed 3"` ends the process by SIGKILL when the third such event has been
committed and nobody was told yet; `before` is just before the commit. `append` in place of an event's name
counts the commits themselves.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping, Sequence

from bigtask.core.events import TYPES, Event
from bigtask.errors import InvalidInput
from bigtask.host.log import Watch

VARIABLE = "BIGTASK_CRASH_AT"
_APPEND = "append"


def watch_from(environ: Mapping[str, str]) -> Watch | None:
    given = environ.get(VARIABLE)
    if not given:
        return None
    when, type_name, count = (*given.split(), "1")[:3]
    if when not in ("before", "after") or type_name not in (*TYPES, _APPEND) or not count.isdigit():
        raise InvalidInput(f"{VARIABLE} must be like 'after worker:completed 3', not {given!r}")
    left = int(count)

    def watch(now: str, events: Sequence[Event]) -> None:
        nonlocal left
        if now != when:
            return
        found = 1 if type_name == _APPEND else sum(event.type == type_name for event in events)
        left -= found
        if left <= 0 and found:
            os.kill(os.getpid(), signal.SIGKILL)

    return watch
