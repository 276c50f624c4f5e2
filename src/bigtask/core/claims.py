"""Claims: checks of a plan that are words, judged one by one by `@verification`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from bigtask.core.run import Run
from bigtask.core.states import TaskState
from bigtask.core.values import Task, Value

HOLDS, FAILS = "holds", "fails"


class Claim(Value):
    """`id` is `TASK.N`, the task's N-th claim from 1. `verdict` is `holds`, `fails` or `unclear`, and empty
    while nobody has judged it; `evidence` is what the judge named for it."""

    id: str
    task_id: str
    claim: str
    verdict: str = ""
    evidence: str = ""


def asked(run: Run) -> tuple[Claim, ...]:
    """The claims of all merged tasks, in plan order."""
    return tuple(claim for task in _merged(run) for claim in _of(task))


def judged(run: Run, task: Task) -> tuple[Claim, ...]:
    """The task's claims with what the last verdict says of them."""
    answers = _answers(run.verdict.data) if run.verdict is not None else {}
    return tuple(_with(claim, answers.get(claim.id, {})) for claim in _of(task))


def failing(run: Run) -> tuple[Claim, ...]:
    """The claims of merged tasks that the last verdict found untrue."""
    return tuple(claim for task in _merged(run) for claim in judged(run, task) if claim.verdict == FAILS)


def problems(run: Run, data: Mapping[str, Any]) -> tuple[str, ...]:
    """What an answer of verification lacks, as sentences for the one who gave it."""
    answers = _answers(data)
    return tuple(
        f"claims has nothing about {claim.id} ({claim.claim}): say whether it holds, fails or is unclear"
        for claim in asked(run)
        if claim.id not in answers
    )


def remarks(run: Run, task: Task) -> tuple[str, ...]:
    """What a person should know of the task's claims. Nothing before there is a verdict."""
    return tuple(_remarks(run, task))


def _remarks(run: Run, task: Task) -> Iterator[str]:
    if run.verdict is None:
        return
    for claim in judged(run, task):
        seen = f" ({claim.evidence})" if claim.evidence else ""
        if claim.verdict == FAILS:
            yield f"claim fails: {claim.claim}{seen}"
        elif claim.verdict != HOLDS:
            yield f"claim {claim.verdict or 'not judged'}: {claim.claim}{seen}"
        elif not claim.evidence:
            yield f"claim said to hold, no evidence named: {claim.claim}"


def _merged(run: Run) -> Iterator[Task]:
    for record in run.tasks.values():
        if record.state in (TaskState.COMPLETED, TaskState.PARTIAL):
            yield record.task


def _of(task: Task) -> tuple[Claim, ...]:
    texts = [check.claim for check in task.checks if check.claim is not None]
    return tuple(
        Claim(id=f"{task.id}.{number}", task_id=task.id, claim=text) for number, text in enumerate(texts, 1)
    )


def _answers(data: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """The verdict's answers by their claims' ids. Ids that nobody asked about are harmless."""
    return {str(answer["id"]): answer for answer in data.get("claims", ())}


def _with(claim: Claim, answer: Mapping[str, Any]) -> Claim:
    return Claim(
        id=claim.id,
        task_id=claim.task_id,
        claim=claim.claim,
        verdict=str(answer.get("verdict", "")),
        evidence=str(answer.get("evidence", "")),
    )
