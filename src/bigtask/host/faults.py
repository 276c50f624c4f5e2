"""Where crash tests cut in.

`BIGTASK_CRASH_AT="after worker:completed 3"` ends the process by SIGKILL when the third such event has been
committed and nobody was told yet; `before` is just before the commit. `append` in place of an event's name
counts the commits themselves. In place of an event may also stand a step of what is done in the repository,
as `merge:update-ref` (`workspaces.moments` says how they are called); `any` counts all of them.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping, Sequence

from bigtask.core.events import TYPES, Event
from bigtask.errors import InvalidInput
from bigtask.host.log import Watch
from bigtask.workspaces import moments

VARIABLE = "BIGTASK_CRASH_AT"
_APPEND = "append"
_ANY = "any"


def watch_from(environ: Mapping[str, str]) -> Watch | None:
    """For the log. Raises InvalidInput."""
    asked = _asked(environ)
    if asked is None or _is_step(asked[1]):
        return None
    when, type_name, left = asked

    def watch(now: str, events: Sequence[Event]) -> None:
        nonlocal left
        if now != when:
            return
        found = 1 if type_name == _APPEND else sum(event.type == type_name for event in events)
        left -= found
        if left <= 0 and found:
            os.kill(os.getpid(), signal.SIGKILL)

    return watch


def steps_from(environ: Mapping[str, str]) -> moments.Watch:
    """For what is done in the repository. Raises InvalidInput."""
    asked = _asked(environ)
    if asked is None or not _is_step(asked[1]):
        return moments.unwatched
    when, name, left = asked

    def watch(now: str, step: str) -> None:
        nonlocal left
        if now != when or name not in (step, _ANY):
            return
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    return watch


def _asked(environ: Mapping[str, str]) -> tuple[str, str, int] | None:
    given = environ.get(VARIABLE)
    if not given:
        return None
    when, name, count = (*given.split(), "1")[:3]
    known = name in (*TYPES, _APPEND) or _is_step(name)
    if when not in ("before", "after") or not known or not count.isdigit():
        raise InvalidInput(
            f"{VARIABLE} must be like 'after worker:completed 3' or 'before merge:update-ref', not {given!r}"
        )
    return when, name, int(count)


def _is_step(name: str) -> bool:
    return name == _ANY or name.partition(":")[0] in moments.WORKS
