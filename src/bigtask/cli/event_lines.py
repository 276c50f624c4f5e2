"""Each event as a line for people: who, what, and the detail that matters. One line for the live view, the
piped one and `bigtask logs`, which show more or fewer of them."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from bigtask.cli.event_line import Line, phase_name
from bigtask.cli.run_lines import line_of_run
from bigtask.cli.worker_lines import line_of_worker
from bigtask.core.events import Event
from bigtask.core.run import Run
from bigtask.core.values import RESERVED
from bigtask.words import both_ends, one_line

_DETAIL = 600
_WIDEST_NAME = 24


def line_of(run: Run, event: Event) -> Line:
    """`run` has the event folded in."""
    line = line_of_run(run, event.data) or _of_task(run, event)
    return replace(line, who=one_line(line.who, 48), detail=both_ends(line.detail, _DETAIL))


def _of_task(run: Run, event: Event) -> Line:
    id = str(getattr(event.data, "task_id", ""))
    line = line_of_worker(run, id, event.data)
    return replace(line, who=phase_name(RESERVED[id]) if id in RESERVED else id)


def printed(line: Line, at_ms: int, run: Run) -> str:
    """`12:03:11 doc-rich-text  completed  4 files, +963 −0`, in local time."""
    return f"{head(line, at_ms, run)}  {line.detail}".rstrip()


def head(line: Line, at_ms: int, run: Run) -> str:
    """What stands before the detail, always equally wide."""
    clock = datetime.fromtimestamp(at_ms / 1000).strftime("%H:%M:%S")
    return f"{clock} {line.who:<{name_width(run)}}  {line.what:<9}"


def name_width(run: Run) -> int:
    return min(max((12, *(len(id) for id in run.tasks))), _WIDEST_NAME)
