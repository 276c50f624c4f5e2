"""The cap of a run: where it is reached, nothing more starts until a person has said what then.

Attempts under way end by themselves; what they used is known when they have.
"""

from __future__ import annotations

from bigtask.core.events import Happened, WaitingRaised, WorkerSpawned
from bigtask.core.phases.intake import STOP
from bigtask.core.run import Run
from bigtask.core.states import WaitingKind
from bigtask.core.values import Waiting

SUBJECT = "budget"
CONTINUE = "continue"


def allow(run: Run, events: tuple[Happened, ...]) -> tuple[Happened, ...]:
    """The events, or in place of a start over the cap the question what then, asked once."""
    if not any(isinstance(event, WorkerSpawned) for event in events):
        return events
    reached = reached_cap(run)
    if reached is None:
        return events
    if asks(run):
        return ()
    waiting = Waiting(
        id=f"w{run.asked + 1}",
        kind=WaitingKind.BUDGET,
        question=f"The run has used {reached}: go on without a cap, or stop it here?",
        options=(CONTINUE, STOP),
        details={"subject": SUBJECT},
    )
    return (WaitingRaised(waiting=waiting),)


def asks(run: Run) -> bool:
    return any(waiting.kind is WaitingKind.BUDGET for waiting in run.waiting.values())


def reached_cap(run: Run) -> str | None:
    """What was used of which cap, in words, once it is reached and nobody lifted it."""
    settings, used = run.settings, run.used
    if run.answers.get(SUBJECT) == CONTINUE:
        return None
    cost, tokens = settings.max_budget_usd, settings.max_tokens
    if cost is not None and used.cost_usd >= cost:
        return f"${used.cost_usd:.2f} of ${cost:.2f}"
    if tokens is not None and used.input_tokens + used.output_tokens >= tokens:
        return f"{used.input_tokens + used.output_tokens:,} of {tokens:,} tokens"
    return None
