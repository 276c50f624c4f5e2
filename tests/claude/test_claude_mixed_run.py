"""One run of three kinds of agents: the real Claude Code, one of the Agent Client Protocol, and a program.
Each has tasks and phases of its own, and a line of its own on the bill."""

from __future__ import annotations

import json
from typing import Any

import pytest

from agents import programs
from claude.diamond import PATIENCE_S, Model, placed
from claude.rows import BYE, COMPLETION, answers
from claude.setting import needs_claude
from claude.stub import Call, Reply, Request

pytestmark = [pytest.mark.integration, pytest.mark.timeout(2 * PATIENCE_S)]

DOES = {"one": "claude", "two": "acting", "three": "mine"}
PHASES = {"analysis": "acting", "aggregation": "mine", "verification": "acting"}


def planned(id: str) -> dict[str, Any]:
    more = {"scope": [f"{id}.txt"], "agent": DOES[id]}
    return {"id": id, "title": f"The part {id}", "description": f"Write {id}.txt.", **more}


class Planning(Model):
    """Plans a task for each agent, and does the one that is Claude's."""

    def __call__(self, request: Request) -> Reply:
        if COMPLETION not in request.tools:
            if "tasks" in request.schema("StructuredOutput")["properties"]:
                plan = {"tasks": [planned(id) for id in DOES]}
                return Reply(blocks=[Call(name="StructuredOutput", input=plan)])
            return answers(request)
        report = {"task_id": "one", "status": "success", "summary": "one is written"}
        steps = (
            Call(name="Write", input={"file_path": "one.txt", "content": "by claude\n"}),
            Call(name=COMPLETION, input=report),
        )
        done = request.results_since_prompt
        return Reply(blocks=[steps[done]]) if done < len(steps) else BYE


def script(id: str, *, cost_usd: float) -> dict[str, Any]:
    """Of one who does the task `id`, and any phase."""
    use = {"do": "usage", "input_tokens": 10, "output_tokens": 2, "cost_usd": cost_usd}
    write = {"do": "write", "path": f"{id}.txt", "content": f"by {DOES[id]}\n"}
    answer = {"do": "answer", "data": {"status": "success", "summary": f"{id} is written"}}
    return {
        "turns": [
            {"when": {"task": id}, "steps": [write, use, answer]},
            {"steps": [use, {"do": "answer"}]},
        ]
    }


async def test_claude_acp_and_a_program_share_a_run_with_a_bill_for_each() -> None:
    needs_claude()
    with placed(Planning()) as place:
        made = {}
        for id, name, definition, cost_usd in (
            ("two", "acting", programs.acp_definition, 0.25),
            ("three", "mine", programs.command_definition, 0.5),
        ):
            path = place.folder / f"{name}.json"
            path.write_text(json.dumps(script(id, cost_usd=cost_usd)))
            made[name] = definition(path)
        config = place.folder / "config.toml"
        config.write_text(f"spawnDelay = 0\nagents = {toml(made)}\n")
        options = [part for phase, name in PHASES.items() for part in ("--agent-for", f"{phase}={name}")]
        status, _, err = await place.bigtask(
            *("run", "implementation", "Write three", "--agent", "claude", "--yes", "--max-budget-usd", "5"),
            *("--permission-mode", "acceptEdits", *options),
        )
        assert status == 0, err
        result = json.loads((await place.bigtask("report", "last", "--format", "json"))[1])
        branch = result["run"]["branch"]
        for id, name in DOES.items():
            assert place.project.git("show", f"{branch}:{id}.txt") == f"by {name}"
        logged = (await place.bigtask("logs", "last", "--json"))[1].splitlines()
        spawned = [one["data"] for one in map(json.loads, logged) if one["type"] == "worker:spawned"]
        assert {one["taskId"]: one["agent"] for one in spawned} == {
            **DOES,
            "@planning": "claude",
            **{f"@{phase}": name for phase, name in PHASES.items()},
        }
        bill = result["cost"]["byAgent"]
        assert bill.keys() == set(DOES.values())
        # A task and two phases; a task and one.
        assert (bill["acting"]["costUsd"], bill["acting"]["inputTokens"]) == (0.75, 30)
        assert (bill["mine"]["costUsd"], bill["mine"]["inputTokens"]) == (1.0, 20)
        charged = place.stub.tokens
        assert (bill["claude"]["inputTokens"], bill["claude"]["outputTokens"]) == (
            charged["input"],
            charged["output"],
        )
        total = result["cost"]["total"]["costUsd"]
        assert total == pytest.approx(sum(one["costUsd"] for one in bill.values()))
        status, out, _ = await place.bigtask("report", "last")
        assert all(f"`{name}`" in out for name in bill)
        assert place.processes() == {}


def toml(value: Any) -> str:
    """An inline table or list; JSON's texts and numbers are those of TOML."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)} = {toml(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    return json.dumps(value)
