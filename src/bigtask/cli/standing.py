"""When a run can't go on without a person, and how one goes on with it."""

from __future__ import annotations

from bigtask.cli.plain_text import one_line
from bigtask.core.decide import decide, wakes_at
from bigtask.core.run import Run
from bigtask.core.states import AttemptState, WaitingKind
from bigtask.host.home import Home, RunFolder

_SHORT_ID = 6


def stands_still(run: Run, now: int) -> bool:
    """Whether nothing more will happen before a person says something. `now` in ms since the epoch."""
    if run.outcome is not None:
        return False
    if run.paused or not run.started:
        return True
    if run.pausing or run.integrating or not run.waiting or wakes_at(run) is not None:
        return False
    if any(_state(run, id) is not AttemptState.WAITING for id in run.live):
        return False
    # In the middle of a turn of the holder there is still something to come.
    return not decide(run, now)


def _state(run: Run, id: str) -> AttemptState | None:
    attempt = run.live_attempt(id)
    return attempt.state if attempt is not None else None


def name_of(home: Home, folder: RunFolder) -> str:
    """The shortest name that finds the run: `last`, the end of its id, or all of it."""
    others = [other.id for other in home.folders()]
    if others and others[0] == folder.id:
        return "last"
    short = folder.id[-_SHORT_ID:]
    fits = [id for id in others if id.startswith(short) or id.endswith(short)]
    return short if fits == [folder.id] else folder.id


def how_to_go_on(run: Run, name: str) -> list[str]:
    """For each thing that the run waits for, what it is and the commands that settle it."""
    if not run.started:
        return ["the run hasn't been started", f"  bigtask start {name}"]
    lines = ["the run is paused", f"  bigtask resume {name}"] if run.paused else []
    for waiting in run.waiting.values():
        who = f"{waiting.task_id} needs you" if waiting.task_id else "the run needs you"
        lines.append(f"{who} ({waiting.id}): {one_line(waiting.question, 400)}")
        if waiting.kind is WaitingKind.PLAN:
            lines.append(f"  bigtask confirm {name}")
            lines.append(f"  bigtask cancel {name}")
            continue
        for option in waiting.options:
            more = " --data FILE" if option == "edit" else ""
            lines.append(f"  bigtask answer {name} {waiting.id} {one_line(option)}{more}")
    return lines
