"""From one command to merged, verified work, with the real Claude Code: what goes wrong on the way costs no
task, and the bill is what was charged."""

from __future__ import annotations

import asyncio
import json
import shlex
from typing import Any

import pytest

from claude.diamond import MADE, PATIENCE_S, RUN, TIED, Model, Place, placed
from claude.setting import needs_claude

pytestmark = [pytest.mark.integration, pytest.mark.timeout(2 * PATIENCE_S)]

STORM_S = 4.0
PRICES = {"input": 4e-6, "output": 20e-6}
"""Of the model that Claude Code takes by itself."""


@pytest.fixture(autouse=True)
def _with_claude() -> None:
    needs_claude()


async def followed(place: Place, process: asyncio.subprocess.Process) -> list[dict[str, Any]]:
    """Every event of the run. A permission is answered by the command that the inbox names for it."""
    events = []
    assert process.stdout is not None
    async with asyncio.timeout(PATIENCE_S):
        async for line in process.stdout:
            event = json.loads(line)
            if "data" not in event:
                continue
            events.append(event)
            if event["type"] == "orchestrator:waiting":
                await allow(place)
        await process.wait()
    return events


async def allow(place: Place) -> None:
    """While one waits for a person, the others go on."""
    assert await asyncio.to_thread(place.model.wrote.wait, PATIENCE_S)
    assert not place.model.heard.is_set()
    status, out, _ = await place.bigtask("inbox", "--json")
    assert status == 0
    (item,) = json.loads(out)["waiting"]
    assert (item["kind"], item["taskId"]) == ("permission", "shout")
    program, *arguments = shlex.split(item["commands"][0])
    assert (program, arguments[0], arguments[-1]) == ("bigtask", "answer", "allow")
    status, _, err = await place.bigtask(*arguments)
    assert status == 0, err


def of(events: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [event["data"] for event in events if event["type"] == kind]


async def test_four_tasks_a_permission_a_killed_worker_and_a_storm_come_to_a_complete_run() -> None:
    model = Model(storm_s=STORM_S, kills=True, holds=True)
    with placed(model) as place:
        async with place.begun(*RUN, "--json") as process:
            events = await followed(place, process)
        told = "\n".join(json.dumps([each["type"], each["data"]])[:400] for each in events)
        assert process.returncode == 0, told
        # Nothing failed: neither the storm nor the blow used up an attempt.
        spawned = [(each["taskId"], each["attempt"]) for each in of(events, "worker:spawned")]
        assert sorted(spawned) == sorted(
            (id, 1)
            for id in (
                "@analysis",
                "@planning",
                "core",
                "shout",
                "polite",
                "tie",
                "@aggregation",
                "@verification",
            )
        )
        assert model.refused
        assert {each["taskId"] for each in of(events, "worker:limited")} == {"shout", "polite"}
        # The session that was killed went on, and knows what it had done.
        (killed,) = model.killed
        assert model.sessions["polite"] == {killed}
        (resumed,) = of(events, "worker:resumed")
        assert "SIGKILL" in resumed["reason"]
        (answered,) = of(events, "orchestrator:answered")
        assert answered["answer"] == "allow"
        reported = {
            each["taskId"]: each["tools"] for each in of(events, "worker:reported") if each.get("tools")
        }
        assert reported["polite"] == {"write": model.called["polite Write"]}
        assert reported["shout"] == {"write": 2, "bash": 1}
        assert all(each["results"] for each in of(events, "worker:checked"))
        assert {each["taskId"] for each in of(events, "worker:checked")} >= {"core", "shout", "polite", "tie"}

        run_id = events[0]["orchestratorId"]
        branch = f"bigtask/{run_id}/main"
        for path, content in MADE.items():
            assert place.project.git("show", f"{branch}:{path}") == content.strip()
        assert place.project.git("show", f"{branch}:greet/__init__.py") == TIED.strip()

        used = json.loads((await place.bigtask("report", "last", "--format", "json"))[1])["cost"]["total"]
        charged = place.stub.tokens
        assert (used["inputTokens"], used["outputTokens"]) == (charged["input"], charged["output"])
        assert used["costUsd"] == pytest.approx(sum(PRICES[kind] * n for kind, n in charged.items()))
        assert place.processes() == {}
