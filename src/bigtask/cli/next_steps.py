"""What a person can do next, as the exact commands. `name` is what the run is called there: see
`Frame.name_of`."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass

from bigtask.core.permissions import ALLOW, ONCE, scopes_of
from bigtask.core.phases.aggregation import anything_merged
from bigtask.core.run import Run
from bigtask.core.states import FELL, Outcome, WaitingKind
from bigtask.core.values import Waiting
from bigtask.words import one_line


@dataclass(frozen=True, kw_only=True)
class Step:
    command: str
    what: str


def answers(waiting: Waiting, name: str) -> tuple[str, ...]:
    """One command for each answer that is possible: `a|b` would be two programs to a shell."""
    if waiting.kind is WaitingKind.PLAN:
        return (f"bigtask confirm {name}", f"bigtask edit {name}", f"bigtask cancel {name}")
    commands = [
        f"bigtask answer {name} {waiting.id} {shlex.quote(one_line(option))}" for option in waiting.options
    ]
    wider = [scope for scope in scopes_of(waiting) if scope != ONCE]
    if wider and ALLOW in waiting.options:
        commands.append(f"bigtask answer {name} {waiting.id} {ALLOW} --scope {wider[0]}")
    return tuple(commands)


def next_steps(run: Run, name: str, *, held: bool) -> tuple[Step, ...]:
    """Most useful first; empty where nothing is left to do. What the run waits for comes before all else."""
    return tuple(_after_the_end(run, name) if run.outcome is not None else _on_the_way(run, name, held))


def _on_the_way(run: Run, name: str, held: bool) -> Iterator[Step]:
    if not run.started:
        yield Step(command=f"bigtask start {name}", what="begins with it")
    elif run.paused or run.pausing:
        yield Step(command=f"bigtask resume {name}", what="goes on with it")
    elif run.waiting:
        for waiting in run.waiting.values():
            for command in answers(waiting, name):
                yield Step(command=command, what=f"settles {waiting.id}")
    elif held:
        yield Step(command=f"bigtask watch {name}", what="follows it")
    else:
        yield Step(command=f"bigtask resume {name}", what="carries it on: nobody does")


def _after_the_end(run: Run, name: str) -> Iterator[Step]:
    if run.merged is not None:
        yield Step(command=f"bigtask merge {name} --undo", what="takes it out of your files again")
    elif anything_merged(run) and run.settings.isolation != "none":
        source = run.created.source
        detached = source.kind == "git" and source.branch is None
        into = "the branch that is checked out then" if detached else one_line(source.branch or "your files")
        yield Step(command=f"bigtask merge {name}", what=f"takes it into {into}")
    if any(run.counts[state] for state in FELL) or run.outcome is Outcome.FAILED:
        yield Step(command=f"bigtask retry {name}", what="tries again what failed")
