"""An account that is limited for hours: the run waits by itself, and a person may want something else."""

from __future__ import annotations

from collections.abc import Mapping

from bigtask.core import events as e
from bigtask.core.phases.intake import STOP
from bigtask.core.run import Run
from bigtask.core.states import AttemptState, WaitingKind
from bigtask.core.values import Waiting

WAIT, USE = "wait", "use "
"""`use NAME` goes on with another agent."""
WORTH_ASKING_MS = 3_600_000
"""What is over sooner is only told."""
_SUBJECT = "limit:"


def met(
    run: Run, task_id: str, attempt: int, *, kind: str, reset_ms: int | None, others: tuple[str, ...]
) -> tuple[e.Happened, ...]:
    """An attempt met a limit: it waits, and where the wait is long a person is asked once whether another
    agent is to do the work. Where a person has chosen one already, the attempt is begun anew with that agent.
    """
    agent = _agent_of(run, task_id, attempt)
    if (other := chosen(run.answers, agent)) != agent:
        return (_anew(task_id, attempt, agent, other),)
    limited = e.WorkerLimited(task_id=task_id, attempt=attempt, kind=kind, reset_ms=reset_ms)
    asked = _SUBJECT + agent in run.answers or any(
        waiting.kind is WaitingKind.LIMIT for waiting in run.waiting.values()
    )
    if reset_ms is None or reset_ms < WORTH_ASKING_MS or asked:
        return (limited,)
    ways = ["wait", *(f"go on with {other}" for other in others)]
    waiting = Waiting(
        id=f"w{run.asked + 1}",
        kind=WaitingKind.LIMIT,
        question=f"The account of {agent} is limited for {_long(reset_ms)}, and the run goes on by itself "
        f"when that is over: {', '.join(ways)}, or stop?",
        options=(WAIT, *(USE + other for other in others), STOP),
        details={"subject": _SUBJECT + agent},
    )
    return (limited, e.WaitingRaised(waiting=waiting))


def _agent_of(run: Run, task_id: str, attempt: int) -> str:
    record = run.record(task_id)
    assert record is not None
    return record.attempts[attempt - 1].agent


def chosen(answers: Mapping[str, str], agent: str) -> str:
    """The agent that does the work of `agent`: another one where a person has said so."""
    said = answers.get(_SUBJECT + agent, "")
    return said.removeprefix(USE) if said.startswith(USE) else agent


def answered(run: Run, waiting: Waiting, answer: str) -> tuple[e.WorkerLost, ...]:
    """An answer that chooses another agent ends all attempts that wait for this one: they are begun anew."""
    if not answer.startswith(USE):
        return ()
    agent = str(waiting.details["subject"]).removeprefix(_SUBJECT)
    other = answer.removeprefix(USE)
    waits = [(id, a) for id in run.live if (a := run.live_attempt(id)) and a.state is AttemptState.LIMITED]
    return tuple(_anew(id, a.number, agent, other) for id, a in waits if a.agent == agent)


def _anew(task_id: str, attempt: int, agent: str, other: str) -> e.WorkerLost:
    return e.WorkerLost(
        task_id=task_id, attempt=attempt, reason=f"{agent} is limited: begun anew with {other}"
    )


def settle(run: Run, task_id: str, attempt: int) -> None:
    """The attempt's account answers again: nobody has to decide anything."""
    subject = _SUBJECT + _agent_of(run, task_id, attempt)
    for waiting in [each for each in run.waiting.values() if each.details.get("subject") == subject]:
        del run.waiting[waiting.id]


def _long(ms: int) -> str:
    hours, minutes = divmod(round(ms / 60_000), 60)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"
