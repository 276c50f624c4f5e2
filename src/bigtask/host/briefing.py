"""What an attempt is told: the prompt's variables, its text, and what its answer must hold up to. Pure."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Mapping
from itertools import islice
from pathlib import PurePosixPath
from typing import Any

import msgspec

from bigtask.core import claims as judged_claims
from bigtask.core import plan
from bigtask.core.run import Attempt, Run, TaskRecord
from bigtask.core.states import AttemptState, Phase, TaskState
from bigtask.core.values import ANALYSIS, PLANNING, RESERVED, VERIFICATION, Check, Task
from bigtask.protocol.delimiters import neutralise
from bigtask.protocol.fields import ANSWERS, response_format, schema
from bigtask.templates.prompting import prompt_form
from bigtask.templates.template import Template
from bigtask.templates.variables import Form, printed

_MOST_TASKS = 200


class Briefing(msgspec.Struct, frozen=True, kw_only=True):
    """`text` is the whole prompt without its nonce, and `beginning` the part of it that all attempts of the
    phase share; `block` the protocol phase of the answer; `problems` says what is wrong with an answer beyond
    its form."""

    task_id: str
    attempt: int
    phase: Phase
    block: str
    text: str
    beginning: str
    variables: Mapping[str, Any]
    schema: Mapping[str, Any]
    start_delimiter: str
    end_delimiter: str
    timeout_ms: int
    read_only: bool
    problems: Callable[[Mapping[str, Any]], tuple[str, ...]]


Knows = Callable[[str], bool]


def any_name(name: str) -> bool:
    """Where nobody can say which agents there are."""
    return True


_OF_TASK = frozenset(
    {
        "ATTEMPT",
        "DEPENDENCY_OUTPUTS",
        "TASK_CHECKS",
        "TASK_DESCRIPTION",
        "TASK_ID",
        "TASK_SCOPE",
        "TASK_TITLE",
    }
)
_OF_WORK = frozenset({"CONFLICTS", "MERGED_OUTPUT", "TASKS_JSON", "WORKER_OUTPUTS"})
_OWN: dict[Phase, frozenset[str]] = {
    Phase.WORKER_EXECUTION: _OF_TASK,
    Phase.AGGREGATION: _OF_WORK,
    Phase.VERIFICATION: _OF_WORK,
}
"""The names whose values differ between attempts of one phase and plan."""


class _Shared(msgspec.Struct, frozen=True):
    form: Form
    variables: dict[str, Any]


class Briefer:
    """Writes the briefings of one run. What all of a phase's attempts share is made once a plan."""

    def __init__(self, run: Run, template: Template, knows: Knows = any_name) -> None:
        """`knows` says of a name whether there is such an agent."""
        self._run = run
        self._knows = knows
        self._template = template
        self._delimiters = template.prompts.response_format
        self._shared: dict[tuple[Phase, int, bool], _Shared] = {}

    def brief(self, task_id: str, number: int, *, merged: str = "", conflict: str = "") -> Briefing:
        """`merged` describes what the tasks' work came to, for the phases after it; `conflict` what is to be
        resolved, in place of the task's own description."""
        run, reserved = self._run, task_id in RESERVED
        phase = RESERVED.get(task_id, Phase.WORKER_EXECUTION)
        block = ANSWERS[phase]
        own = self._after_work(merged) if reserved else self._of_task(run.tasks[task_id], number, conflict)
        shared = self._of_phase(phase, block)
        return Briefing(
            task_id=task_id,
            attempt=number,
            phase=phase,
            block=block,
            text=shared.form.fill({name: self._safe(value) for name, value in own.items()})
            + self._again(task_id, number),
            beginning=shared.form.beginning,
            variables={**shared.variables, **own},
            schema=schema(block),
            start_delimiter=self._delimiters.start_delimiter,
            end_delimiter=self._delimiters.end_delimiter,
            timeout_ms=self.timeout_ms(task_id),
            read_only=task_id in (ANALYSIS, PLANNING) or run.settings.isolation == "none",
            problems=lambda data: problems(run, self._template, task_id, data, self._knows),
        )

    def _again(self, task_id: str, number: int) -> str:
        """For another try at a phase: a task's says so beside its description."""
        record = self._run.reserved.get(task_id)
        earlier = _earlier(record, number) if record is not None else ""
        return f"\n\n{self._safe(earlier)}" if earlier else ""

    def timeout_ms(self, task_id: str) -> int:
        """How long an attempt at the task may be active."""
        settings = self._run.settings
        return (
            settings.phase(RESERVED[task_id]).timeout_ms
            if task_id in RESERVED
            else settings.worker_timeout_ms
        )

    def _of_phase(self, phase: Phase, block: str) -> _Shared:
        run, delimiters = self._run, self._delimiters
        key = (phase, run.plan.revision if run.plan is not None else 0, run.analysis is not None)
        if key not in self._shared:
            variables = self._of_run()
            # As it goes into prompts: printed, and unable to form a delimiter.
            values = {name: self._safe(value) for name, value in variables.items()}
            values["TASKS_JSON"] = self._safe(self._task_list())
            values["RESPONSE_FORMAT"] = response_format(
                block, delimiters.start_delimiter, delimiters.end_delimiter
            )
            self._shared[key] = _Shared(
                prompt_form(self._template, phase, values, open_names=_OWN.get(phase, ())),
                {**self._template.variables, **variables},
            )
        return self._shared[key]

    def _safe(self, value: Any) -> str:
        return neutralise(printed(value), self._delimiters.start_delimiter, self._delimiters.end_delimiter)

    def _of_run(self) -> dict[str, Any]:
        run = self._run
        source, analysis = run.created.source, run.analysis or {}
        return {
            **run.created.variables,
            "USER_REQUEST": run.created.request,
            "ORIGINAL_REQUEST": run.created.request,
            "CWD": source.cwd,
            "PROJECT_NAME": PurePosixPath(source.cwd).name,
            "TEMPLATE_NAME": self._template.name,
            "ORCHESTRATOR_ID": run.id,
            "CUSTOM_INSTRUCTIONS": run.settings.custom_instructions,
            "MIN_TASKS": run.settings.min_tasks,
            "MAX_TASKS": run.settings.max_tasks,
            "MAX_WORKERS": run.settings.slots,
            "ANALYSIS_SUMMARY": analysis.get("summary", ""),
            "RECOMMENDED_SPLITS": analysis.get("recommended_splits", ""),
            "KEY_FILES": list(analysis.get("key_files", ())),
            "TASK_COUNT": len(run.tasks),
        }

    def _task_list(self) -> str:
        """What the others do, so that a worker leaves it to them; a long plan is cut."""
        shown = [
            {"id": r.task.id, "title": r.task.title} for r in islice(self._run.tasks.values(), _MOST_TASKS)
        ]
        more = len(self._run.tasks) - len(shown)
        return json.dumps(shown, ensure_ascii=False) + (f" and {more} more" if more else "")

    def _after_work(self, merged: str) -> dict[str, Any]:
        run = self._run
        if run.plan is None:
            return {}
        return {
            "TASKS_JSON": json.dumps(msgspec.to_builtins(run.plan.tasks), ensure_ascii=False),
            "WORKER_OUTPUTS": [_output(record) for record in run.tasks.values()],
            "MERGED_OUTPUT": merged,
            "CLAIMS": [claim.id for claim in judged_claims.asked(run)],
            "CONFLICTS": [found for record in run.tasks.values() if (found := _conflict(record))],
        }

    def _of_task(self, record: TaskRecord, number: int, conflict: str) -> dict[str, Any]:
        task = record.task
        return {
            "TASK_ID": task.id,
            "TASK_TITLE": task.title,
            "TASK_DESCRIPTION": "\n\n".join(
                part for part in (conflict or task.description, _earlier(record, number)) if part
            ),
            "TASK_SCOPE": list(task.scope),
            "TASK_CHECKS": "\n".join(_check(check) for check in task.checks),
            "DEPENDENCY_OUTPUTS": [_output(self._run.tasks[id]) for id in task.dependencies],
            "ATTEMPT": number,
        }


def _check(check: Check) -> str:
    return f"- {check.claim}" if check.command is None else f"- `{shlex.join(check.command)}` ends with 0"


def _earlier(record: TaskRecord, number: int) -> str:
    """What the attempt before this one did and why it ended."""
    if number < 2:
        return ""
    last = record.attempts[number - 2]
    if last.number == record.attempts[number - 1].resolves:
        return ""  # it did what it was to do
    if last.state is AttemptState.COMPLETED:
        return f"This is attempt {number}. More was merged since the one before: look at the whole anew."
    ended = {
        AttemptState.CRASHED: "its process ended",
        AttemptState.LOST: "it was interrupted",
        AttemptState.TIMEOUT: "it ran out of time",
    }.get(last.state, "its result couldn't be used")
    why = f" ({last.reason})" if last.reason else ""
    return f"This is attempt {number}. The one before failed: {ended}{why}.{_done(last)}"


def _done(last: Attempt) -> str:
    """What an attempt had done, as far as it is known."""
    parts = []
    if last.action:
        parts.append(f" It had got to: {last.action}.")
    calls = ", ".join(f"{number} {kind}" for kind, number in last.tools.items() if number)
    if calls:
        parts.append(f" Its tool calls: {calls}.")
    if last.report is not None and last.report.summary:
        parts.append(f" What it said of its work: {last.report.summary}")
    return "".join(parts)


def _output(record: TaskRecord) -> dict[str, Any]:
    attempt = record.attempt
    report = attempt.report if attempt is not None else None
    return {
        "taskId": record.task.id,
        "title": record.task.title,
        "state": record.state.value,
        "summary": report.summary if report else record.reason,
        "files": list(attempt.evidence.files) if attempt is not None and attempt.evidence else [],
    }


def _conflict(record: TaskRecord) -> str:
    attempt = record.attempt
    waits = record.state is TaskState.RUNNING and attempt is not None
    return f"{record.task.id}: {attempt.reason}" if waits and attempt is not None and attempt.reason else ""


def problems(
    run: Run, template: Template, task_id: str, data: Mapping[str, Any], knows: Knows = any_name
) -> tuple[str, ...]:
    """Why a well-formed answer still can't be used; the agent is asked again with these sentences."""
    if task_id == ANALYSIS:
        wanted = template.phases.analysis.validation.required_fields
        return tuple(f"{name} is missing" for name in wanted if not data.get(name))
    if task_id == PLANNING:
        tasks = tuple(plan.task_from_answer(task) for task in data["tasks"])
        agents = {task.agent for task in tasks if task.agent is not None and knows(task.agent)}
        return plan.problems(tasks, run.settings, agents=agents)
    return judged_claims.problems(run, data) if task_id == VERIFICATION else ()


def claims(task: Task, *, files: tuple[str, ...], claimed: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """The report's word against the commit's: field names of `Evidence`."""
    changed = set(files)
    said = {str(PurePosixPath(path)) for path in claimed}
    areas = plan.areas(task)
    return {
        "claimed_unchanged": tuple(sorted(said - changed)),
        "changed_unclaimed": tuple(sorted(changed - said)) if claimed else (),
        "outside_scope": tuple(
            sorted(path for path in changed if areas and not plan.overlap([tuple(path.split("/"))], areas))
        ),
    }
