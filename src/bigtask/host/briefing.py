"""What an attempt is told: the prompt's variables, its text, and what its answer must hold up to. Pure."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import msgspec

from bigtask.core import plan
from bigtask.core.run import Run, TaskRecord
from bigtask.core.states import AttemptState, Phase, TaskState
from bigtask.core.values import ANALYSIS, PLANNING, RESERVED, Task
from bigtask.protocol.delimiters import neutralise
from bigtask.protocol.fields import ANSWERS, response_format, schema
from bigtask.templates.prompting import build_prompt
from bigtask.templates.template import Template


@dataclass(frozen=True, kw_only=True)
class Briefing:
    """`text` is the whole prompt without its nonce; `block` the protocol phase of the answer; `problems`
    says what is wrong with an answer beyond its form."""

    task_id: str
    attempt: int
    phase: Phase
    block: str
    text: str
    variables: Mapping[str, Any]
    schema: Mapping[str, Any]
    start_delimiter: str
    end_delimiter: str
    timeout_ms: int
    read_only: bool
    problems: Callable[[Mapping[str, Any]], tuple[str, ...]]


def brief(run: Run, template: Template, task_id: str, number: int, *, merged: str = "") -> Briefing:
    """`merged` describes what the tasks' work came to, for the phases after it."""
    phase = RESERVED.get(task_id, Phase.WORKER_EXECUTION)
    block = ANSWERS[phase]
    form = template.prompts.response_format
    values = variables(run, template, task_id, number, merged)
    safe = {name: _outside(value, form.start_delimiter, form.end_delimiter) for name, value in values.items()}
    safe["RESPONSE_FORMAT"] = response_format(block, form.start_delimiter, form.end_delimiter)
    prompt = build_prompt(template, phase, safe)
    reserved = task_id in RESERVED
    return Briefing(
        task_id=task_id,
        attempt=number,
        phase=phase,
        block=block,
        text=prompt.text,
        variables={**template.variables, **run.created.variables, **values},
        schema=schema(block),
        start_delimiter=form.start_delimiter,
        end_delimiter=form.end_delimiter,
        timeout_ms=run.settings.phase(phase).timeout_ms if reserved else run.settings.worker_timeout_ms,
        read_only=task_id in (ANALYSIS, PLANNING) or run.settings.isolation == "none",
        problems=lambda data: problems(run, template, task_id, data),
    )


def variables(run: Run, template: Template, task_id: str, number: int, merged: str) -> dict[str, Any]:
    """Every built-in variable of the task's phase."""
    source = run.created.source
    values: dict[str, Any] = {
        **run.created.variables,
        "USER_REQUEST": run.created.request,
        "ORIGINAL_REQUEST": run.created.request,
        "CWD": source.cwd,
        "PROJECT_NAME": PurePosixPath(source.cwd).name,
        "TEMPLATE_NAME": template.name,
        "ORCHESTRATOR_ID": run.id,
        "CUSTOM_INSTRUCTIONS": run.settings.custom_instructions,
        "MIN_TASKS": run.settings.min_tasks,
        "MAX_TASKS": run.settings.max_tasks,
        "MAX_WORKERS": run.settings.slots,
    }
    analysis = run.analysis or {}
    values["ANALYSIS_SUMMARY"] = analysis.get("summary", "")
    values["RECOMMENDED_SPLITS"] = analysis.get("recommended_splits", "")
    values["KEY_FILES"] = list(analysis.get("key_files", ()))
    if run.plan is not None:
        values["TASK_COUNT"] = len(run.plan.tasks)
        if task_id in RESERVED:
            values["TASKS_JSON"] = msgspec.to_builtins(run.plan.tasks)
            values["WORKER_OUTPUTS"] = [_output(record) for record in run.tasks.values()]
            values["MERGED_OUTPUT"] = merged
            values["CONFLICTS"] = [_conflict(record) for record in run.tasks.values() if _conflict(record)]
        else:
            values["TASKS_JSON"] = [{"id": task.id, "title": task.title} for task in run.plan.tasks]
    record = run.tasks.get(task_id)
    if record is not None:
        values.update(_of_task(run, record, number))
    return values


def _of_task(run: Run, record: TaskRecord, number: int) -> dict[str, Any]:
    task = record.task
    return {
        "TASK_ID": task.id,
        "TASK_TITLE": task.title,
        "TASK_DESCRIPTION": "\n\n".join(
            part for part in (task.description, _earlier(record, number)) if part
        ),
        "TASK_SCOPE": list(task.scope),
        "DEPENDENCY_OUTPUTS": [_output(run.tasks[id]) for id in task.dependencies],
        "ATTEMPT": number,
    }


def _earlier(record: TaskRecord, number: int) -> str:
    """What the attempt before this one did and why it ended."""
    if number < 2:
        return ""
    last = record.attempts[number - 2]
    ended = {
        AttemptState.CRASHED: "its process ended",
        AttemptState.LOST: "it was interrupted",
        AttemptState.TIMEOUT: "it ran out of time",
    }.get(last.state, "its result couldn't be used")
    said = f" It had got to: {last.action}." if last.action else ""
    why = f" ({last.reason})" if last.reason else ""
    return f"This is attempt {number}. The one before failed: {ended}{why}.{said}"


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


def _outside(value: Any, start: str, end: str) -> Any:
    """Text from outside can't form a delimiter."""
    match value:
        case str():
            return neutralise(value, start, end)
        case list() | dict():
            return json.loads(neutralise(json.dumps(value, ensure_ascii=False), start, end))
        case _:
            return value


def problems(run: Run, template: Template, task_id: str, data: Mapping[str, Any]) -> tuple[str, ...]:
    """Why a well-formed answer still can't be used; the agent is asked again with these sentences."""
    if task_id == ANALYSIS:
        wanted = template.phases.analysis.validation.required_fields
        return tuple(f"{name} is missing" for name in wanted if not data.get(name))
    if task_id == PLANNING:
        tasks = tuple(plan.task_from_answer(task) for task in data["tasks"])
        return plan.problems(tasks, run.settings, inside=lies_inside)
    return ()


def lies_inside(path: str) -> bool:
    """Whether a scope entry, relative to the run's directory, can't point out of it."""
    pure = PurePosixPath(path)
    return not pure.is_absolute() and ".." not in pure.parts and "\0" not in path


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
