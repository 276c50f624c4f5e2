"""Which turn of a script is played for a prompt, and the good answers of a script without one."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from bigtask.agents.protocol import Prompt, ToolKind
from bigtask.agents.scripted.script import Answer, Progress, Script, ScriptedTask, Step, Tool, When, Write

_RETRY = re.compile(r"_r([1-9][0-9]{0,5})$")
_OUR_FIELDS = frozenset({"file", "content"})


@dataclass(frozen=True, kw_only=True)
class Occasion:
    """What a script can tell turns apart by."""

    phase: str
    task: str | None
    attempt: int
    turn: int
    claims: Sequence[str] = ()
    """The ids of the claims that the turn is asked to judge."""


def occasion_of(prompt: Prompt, *, session_name: str, turn: int) -> Occasion:
    task = prompt.variables.get("TASK_ID")
    said = prompt.variables.get("ATTEMPT")
    named = _RETRY.search(session_name)
    return Occasion(
        phase=prompt.phase,
        task=None if task is None else str(task),
        attempt=said if isinstance(said, int) else int(named[1]) + 1 if named else 1,
        turn=turn,
        claims=prompt.variables.get("CLAIMS", ()),
    )


def steps_for(script: Script, occasion: Occasion) -> Sequence[Step]:
    matching = [turn for turn in script.turns if _holds(turn.when, occasion)]
    if not matching:
        return _good_steps(script, occasion)
    most = max(len(_conditions(turn.when)) for turn in matching)
    return [turn for turn in matching if len(_conditions(turn.when)) == most][-1].steps


def good_data(script: Script, occasion: Occasion) -> dict[str, Any]:
    """The data of a valid answer that lets the run go on."""
    match occasion.phase:
        case "analysis":
            count = max(1, len(script.tasks))
            return {"summary": f"The script has {len(script.tasks)} tasks.", "recommended_splits": count}
        case "taskPlanning":
            return {"tasks": [_planned(task) for task in script.tasks or [ScriptedTask(id="task-1")]]}
        case "workerExecution":
            done = {"status": "success", "summary": f"Wrote {_task(script, occasion).file}."}
            return {**done, "output_files": [_task(script, occasion).file]}
        case "aggregation":
            return {"status": "success", "summary": "The results fit together.", "conflicts": []}
        case _:
            claims = [{"id": id, "verdict": "holds", "evidence": "as scripted"} for id in occasion.claims]
            judged = {"claims": claims} if claims else {}
            return {"status": "passed", "summary": "Nothing is missing.", "issues": [], **judged}


def _conditions(when: When) -> dict[str, Any]:
    return {name: value for name, value in msgspec.structs.asdict(when).items() if value is not None}


def _holds(when: When, occasion: Occasion) -> bool:
    return all(getattr(occasion, name) == value for name, value in _conditions(when).items())


def _task(script: Script, occasion: Occasion) -> ScriptedTask:
    """The occasion's task with its file."""
    name = occasion.task or "task-1"
    known = next((task for task in script.tasks if task.id == name), ScriptedTask(id=name))
    return msgspec.structs.replace(known, file=known.file or f"{name}.txt")


def _planned(task: ScriptedTask) -> dict[str, Any]:
    fields: dict[str, Any] = msgspec.to_builtins(task)
    shown = {name: value for name, value in fields.items() if name not in _OUR_FIELDS}
    return {"title": task.id, "description": f"Do {task.id}.", **shown}


def _good_steps(script: Script, occasion: Occasion) -> list[Step]:
    if occasion.phase != "workerExecution":
        return [Tool(kind=ToolKind.READ, name="Read", path="."), Answer()]
    task = _task(script, occasion)
    assert task.file is not None
    content = f"{task.title or task.id}\n" if task.content is None else task.content
    return [
        Progress(percent=50, action=f"writing {task.file}"),
        Write(path=task.file, content=content),
        Answer(),
    ]
