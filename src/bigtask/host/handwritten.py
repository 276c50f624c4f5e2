"""What a person writes in an agent's place, held to what is held against agents.

Every way in passes here before the rules see it, for they know neither the protocol's fields nor which agents
there are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from msgspec.structs import replace

from bigtask.core.commands import Answer, AnyCommand, EditPlan
from bigtask.core.edits import AddTask, Edit, MergeTasks, SetTask
from bigtask.core.run import Run
from bigtask.core.states import Phase
from bigtask.core.values import RESERVED
from bigtask.errors import InvalidAnswer, InvalidInput, InvalidPlan
from bigtask.host.briefing import Knows, any_name, problems
from bigtask.protocol.fields import ANSWERS
from bigtask.protocol.reading import read_value
from bigtask.templates.template import thaw


def as_read(run: Run, command: AnyCommand, knows: Knows = any_name) -> AnyCommand:
    """The command with its handwritten answer as the protocol reads it; any other as it is. `knows` says of a
    name whether there is such an agent.

    Raises InvalidAnswer with everything that is wrong, InvalidPlan for agents that nobody has.
    What the run waits for is the rules' to know: an answer to nothing passes.
    """
    match command:
        case Answer(data=data) if data is not None:
            return _answer(run, command, data, knows)
        case EditPlan(edits=edits):
            unknown = [(id, name) for id, name in _agents(edits) if not knows(name)]
            if unknown:
                raise InvalidPlan(
                    [f"task {id} wants the agent {name}, which doesn't exist" for id, name in unknown]
                )
            return command
        case _:
            return command


def block_of(task_id: str) -> str:
    """The protocol phase of what the task's agent answers."""
    return ANSWERS[RESERVED.get(task_id, Phase.WORKER_EXECUTION)]


def _answer(run: Run, command: Answer, data: Mapping[str, Any], knows: Knows) -> Answer:
    waiting = run.waiting.get(command.waiting_id)
    if waiting is None or waiting.task_id is None or "edit" not in waiting.options:
        return command
    if command.answer != "edit":
        raise InvalidInput(f"data goes with the answer `edit`, not with `{command.answer}`: leave it out")
    task_id, block = waiting.task_id, block_of(waiting.task_id)
    # Whose answer it is follows from what was asked, as it does for an agent.
    whole = {"task_id": task_id, **data} if block == "completion" else dict(data)
    response = read_value(block, whole)
    wrong = list(response.errors)
    if block == "completion" and whole["task_id"] != task_id:
        wrong.append(f"task_id must be {task_id}")
    wrong = wrong or list(problems(run, thaw(run.created.template), task_id, response.data, knows))
    if wrong:
        raise InvalidAnswer(block, wrong)
    return replace(command, data=response.data)


def _agents(edits: tuple[Edit, ...]) -> Iterator[tuple[str, str]]:
    """The tasks that are given an agent, with its name."""
    for edit in edits:
        match edit:
            case AddTask(task=task) | MergeTasks(task=task):
                if task.agent is not None:
                    yield task.id, task.agent
            case SetTask(id=id, fields={"agent": str(name)}):
                yield id, name
            case _:
                pass
