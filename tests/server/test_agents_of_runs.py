"""Who does a run's work, said in the request that makes it: it arrives, and that is who does it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agents.programs import command_definition

from .conftest import TASKS, Workshop, furnish
from .served import served

pytestmark = pytest.mark.integration

MISSING = {"kind": "command", "argv": ["bigtask-no-such-agent"], "install": "pip install no-such-agent"}


@pytest.fixture
def started_with(tmp_path: Path) -> Path:
    """Where the agents `mine` and `other` write their arguments, a line for each turn."""
    return tmp_path / "started with"


@pytest.fixture
def shop(tmp_path: Path, started_with: Path) -> Iterator[Workshop]:
    desk, project = furnish(tmp_path / "shop")
    script = tmp_path / "script.json"
    script.write_text(json.dumps({"tasks": TASKS}))
    program = command_definition(script)

    def agent(name: str) -> dict[str, Any]:
        tells = ["sh", "-c", f'echo {name} "$*" >> \'{started_with}\'; exec "$@"', "sh"]
        return {**program, "argv": [*tells, *program["argv"], ["--model", "{model}"]]}

    agents = {"mine": agent("mine"), "other": agent("other"), "missing": MISSING, "lost": MISSING}
    with served(desk.home.path, env={"BIGTASK_AGENTS": json.dumps(agents)}) as server:
        yield Workshop(server, desk, project)


def who(shop: Workshop, id: str) -> dict[str, str]:
    """The agent of every task's last attempt."""
    spawned = [one["data"] for one in shop.server.events(id) if one["type"] == "worker:spawned"]
    return {one["taskId"]: one["agent"] for one in spawned}


def test_agents_and_models_of_phases_do_those_phases(shop: Workshop, started_with: Path) -> None:
    options = {"agentFor": {"aggregation": "other"}, "modelFor": {"workerExecution": "made-up"}}
    id = shop.done(agent="mine", model="usual", **options)
    assert who(shop, id) == {
        "@analysis": "mine",
        "@planning": "mine",
        **{task["id"]: "mine" for task in TASKS},
        "@aggregation": "other",
    }
    turns = Counter(
        (line.split()[0], line.partition("--model ")[2]) for line in started_with.read_text().splitlines()
    )
    # The run's model is in the words of the run's own agent.
    assert turns == {("mine", "usual"): 2, ("mine", "made-up"): len(TASKS), ("other", ""): 1}


def test_a_fallback_does_the_work_of_an_agent_that_cannot(shop: Workshop) -> None:
    id = shop.done(agent="missing", fallback=["lost", "mine"])
    assert set(who(shop, id).values()) == {"mine"}
    (replaced,) = [one for one in shop.server.events(id) if one["type"] == "orchestrator:agentReplaced"]
    assert (replaced["data"]["agent"], replaced["data"]["instead"]) == ("missing", "mine")


def test_without_a_fallback_that_can_the_request_is_refused_in_a_sentence(shop: Workshop) -> None:
    refused = shop.server.ask(
        "POST", "/api/orchestrator/create", shop.body(agent="missing", fallback=["lost"])
    )
    assert refused.status == 409, refused
    assert "the agent missing can't work here" in refused.said["message"]
    assert "pip install no-such-agent" in refused.said["message"]
    assert "nor can lost (fallback)" in refused.said["message"]
    unknown = shop.server.ask(
        "POST", "/api/orchestrator/create", shop.body(agent="mine", fallback=["nobody"])
    )
    assert unknown.status == 404, unknown
    assert "fallback: there is no agent 'nobody'" in unknown.said["message"]
