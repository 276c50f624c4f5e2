"""The cap of a run: no task begins that may go over it, and where it is reached a person says what then.

Close to the cap it is told once. At the cap what is under way is interrupted, and goes on when the cap was
raised or those under way may finish.
"""

from __future__ import annotations

from bigtask.core.budget import (
    CONTINUE,
    FINISH,
    RAISE,
    SUBJECT,
    Amount,
    Cap,
    cap_of,
    fits,
    lifted,
    outstanding,
    price,
    reservation,
    unpriced,
    used,
)
from bigtask.core.events import (
    BudgetWarning,
    Completed,
    Errored,
    Happened,
    Pausing,
    WaitingRaised,
    WorkerSkipped,
    WorkerSpawned,
)
from bigtask.core.phases.aggregation import anything_merged
from bigtask.core.phases.intake import STOP
from bigtask.core.run import Run
from bigtask.core.states import NOT_BEGUN, Outcome, WaitingKind
from bigtask.core.values import Waiting

WARN_AT = 0.8
_ASSUMED = " (at an assumed price)"
_CENT = 0.005
_SPARE = 1.25


def notice(run: Run) -> tuple[Happened, ...]:
    """What has to be said of what was used so far."""
    cap, taken = cap_of(run), used(run)
    if not cap.bounds or lifted(run):
        return ()
    if cap.reached(taken) and run.live and not asks(run):
        said = f"The run has used {_of_cap(run)}, and its attempts under way rest"
        return (Pausing(by=SUBJECT), _asked(run, said, (RAISE, FINISH, STOP)))
    if cap.reached(taken, WARN_AT) and not run.budget_warned:
        return (BudgetWarning(used=run.used, said=_of_cap(run)),)
    return ()


def allow(run: Run, events: tuple[Happened, ...]) -> tuple[Happened, ...]:
    """The events; in place of a start that doesn't fit, the question what then, asked once when nothing under
    way may leave room for it."""
    start = next((event for event in events if isinstance(event, WorkerSpawned)), None)
    if start is None or not cap_of(run).bounds or run.answers.get(SUBJECT) == CONTINUE:
        return events
    if run.answers.get(SUBJECT) == FINISH:
        return () if run.live or run.integrating else _end(run)
    if fits(run, start.task_id):
        return events
    if run.live or asks(run):
        return ()
    cap, needs = cap_of(run), reservation(run, start.task_id)
    if cap.reached(used(run)):
        said = f"The run has used {_of_cap(run)}"
    else:
        known = "" if price(run) is not None else _ASSUMED
        said = f"{start.task_id} may take {_amount(needs, cap)}{known}, and {_of_cap(run)} are used"
    return (_asked(run, said, (RAISE, STOP), needs),)


def asks(run: Run) -> bool:
    return any(waiting.kind is WaitingKind.BUDGET for waiting in run.waiting.values())


def _asked(run: Run, said: str, options: tuple[str, ...], needs: Amount | None = None) -> WaitingRaised:
    raised = _raised(run, needs or Amount())
    ways = [f"raise the cap to {_cap(raised)}", "let them finish and begin nothing more", "stop"]
    if FINISH not in options:
        del ways[1]
    *first, last = ways
    return WaitingRaised(
        waiting=Waiting(
            id=f"w{run.asked + 1}",
            kind=WaitingKind.BUDGET,
            question=f"{said}: {', '.join(first)}, or {last}?",
            options=options,
            details={"subject": SUBJECT, "raisedUsd": raised.cost_usd, "raisedTokens": raised.tokens},
        )
    )


def _raised(run: Run, needs: Amount) -> Cap:
    """The next cap: raised by the one that was set at first, and further where that is needed now."""
    now, first = cap_of(run), run.settings
    taken = used(run) + outstanding(run) + needs
    cost = None
    if now.cost_usd is not None and first.max_budget_usd is not None:
        cost = round(max(now.cost_usd + first.max_budget_usd, taken.cost_usd * _SPARE), 2)
    tokens = None
    if now.tokens is not None and first.max_tokens is not None:
        tokens = max(now.tokens + first.max_tokens, int(taken.tokens * _SPARE))
    return Cap(cost_usd=cost, tokens=tokens)


def _end(run: Run) -> tuple[Happened, ...]:
    """Ends the run at its cap. The attempts under way have finished by now, and what is merged is the
    result."""
    left = [record.task.id for record in run.tasks.values() if record.state in NOT_BEGUN]
    reason = f"ended at its cap: {_of_cap(run)} are used"
    skipped = tuple(WorkerSkipped(task_id=id, reason="the run ended at its cap") for id in left)
    if anything_merged(run):
        return (*skipped, Completed(outcome=Outcome.INCOMPLETE, reason=reason))
    return (*skipped, Errored(reason=reason))


def _of_cap(run: Run) -> str:
    cap, taken = cap_of(run), used(run)
    parts = []
    if cap.cost_usd is not None:
        assumed = _ASSUMED if unpriced(run) and taken.cost_usd >= _CENT else ""
        parts.append(f"${taken.cost_usd:.2f} of ${cap.cost_usd:.2f}{assumed}")
    if cap.tokens is not None:
        parts.append(f"{taken.tokens:,} of {cap.tokens:,} tokens")
    return " and ".join(parts)


def _amount(amount: Amount, cap: Cap) -> str:
    parts = []
    if cap.cost_usd is not None:
        parts.append(f"${amount.cost_usd:.2f}")
    if cap.tokens is not None:
        parts.append(f"{amount.tokens:,} tokens")
    return " and ".join(parts)


def _cap(cap: Cap) -> str:
    return _amount(Amount(cost_usd=cap.cost_usd or 0.0, tokens=cap.tokens or 0), cap)
