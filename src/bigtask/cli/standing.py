"""Where a run stands: in a word, and whether it can go on without a person."""

from __future__ import annotations

from bigtask.core.decide import decide, wakes_at
from bigtask.core.hooks import due
from bigtask.core.run import Run
from bigtask.core.states import AttemptState, Outcome
from bigtask.core.status import status

_OUTCOME_MARKS = {
    Outcome.COMPLETE: "✓",
    Outcome.INCOMPLETE: "!",
    Outcome.FAILED: "✗",
    Outcome.CANCELLED: "–",
}


def state_words(run: Run, *, held: bool) -> str:
    """A mark and a word: the outcome of a run that has one, else where it stands."""
    if run.outcome is not None:
        return f"{_OUTCOME_MARKS[run.outcome]} {run.outcome}"
    if run.paused or run.pausing:
        return "‖ paused" if run.paused else "‖ pausing"
    if run.waiting:
        return "? waiting"
    return f"{'●' if held and run.started else '○'} {status(run)}"


def stands_still(run: Run, now: int) -> bool:
    """Whether nothing more will happen before a person says something. `now` in ms since the epoch."""
    if run.outcome is not None:
        return False
    if not run.started:
        return True
    if wakes_at(run) is not None:
        return False
    if run.paused:
        return True
    if run.pausing or run.integrating or not run.waiting:
        return False
    if due(run) or any(_state(run, id) is not AttemptState.WAITING for id in run.live):
        return False
    # In the middle of a turn of the holder there is still something to come.
    return not decide(run, now)


def _state(run: Run, id: str) -> AttemptState | None:
    attempt = run.live_attempt(id)
    return attempt.state if attempt is not None else None
