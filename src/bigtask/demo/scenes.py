"""The runs that `bigtask serve --demo` shows, as data: a request, its options and a script for each.

`scenes/NAME.json` is `{"request", "template", "options", "script"}`. Beside what the scripted agent knows, a
`write` may have `from`, a file of `work/` whose text is written, and a command that begins with `python` is
run by the interpreter that runs us.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from typing import Any

import msgspec

from bigtask.agents.scripted.agent import ScriptedAgent
from bigtask.agents.scripted.script import script_of
from bigtask.agents.table import SCRIPTED, AgentTable
from bigtask.core.values import Value
from bigtask.demo.performance import REQUEST, WORKERS, performance
from bigtask.demo.sample import material
from bigtask.host.creation import Options

TOUR, KILLED = "tour", "killed"
"""The run of `bigtask demo`, slower, and the one whose holder is killed."""

_WRITTEN = ("finished", "plan", "limit", "conflict", KILLED)

_TOUR_PACE = 2.0


class Scene(Value):
    request: str
    template: str
    options: Mapping[str, Any]
    """Of `Options`, without the agent."""
    script: Mapping[str, Any]

    def options_for(self, agent: str) -> Options:
        return Options(agent=agent, **self.options)


def agent_of(name: str) -> str:
    """Under which the runs of a scene know who plays it."""
    return SCRIPTED + name


def scenes(python: str) -> dict[str, Scene]:
    """The scenes by name, in the order in which they begin: the last one stands on top of a list of runs.
    `python` is the interpreter that checks use."""
    found = {name: _written(name, python) for name in _WRITTEN}
    return {**found, TOUR: _tour(python)}


def cast(python: str) -> AgentTable:
    """Those who play the scenes, and nobody else: whatever is begun beside them asks no model either."""
    played = {
        agent_of(name): ScriptedAgent(script_of(scene.script), name=agent_of(name))
        for name, scene in scenes(python).items()
    }
    return AgentTable(played, others=False)


def _written(name: str, python: str) -> Scene:
    text = files("bigtask.demo").joinpath("scenes", f"{name}.json").read_bytes()
    whole = _filled(msgspec.json.decode(text, type=dict[str, Any]), python)
    options = dict(whole["options"])
    if "allowed_commands" in options:
        options["allowed_commands"] = tuple(tuple(command) for command in options["allowed_commands"])
    return Scene(
        request=whole["request"], template=whole["template"], options=options, script=whole["script"]
    )


def _filled(value: Any, python: str) -> Any:
    if isinstance(value, list):
        if value[:1] == ["python"]:
            return [python, *value[1:]]
        return [_filled(each, python) for each in value]
    if isinstance(value, dict):
        filled = {name: _filled(each, python) for name, each in value.items() if name != "from"}
        return {**filled, "content": material("work", value["from"])} if "from" in value else filled
    return value


def _tour(python: str) -> Scene:
    script = performance(python, pace=_TOUR_PACE)
    commands = tuple(tuple(check["command"]) for task in script["tasks"] for check in task.get("checks", ()))
    return Scene(
        request=REQUEST,
        template="documentation",
        options={"max_workers": WORKERS, "allowed_commands": commands},
        script=script,
    )
