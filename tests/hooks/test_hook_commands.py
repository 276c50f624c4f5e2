"""What a person sees of hooks at the command line, and how to get away from one that hangs."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from pathlib import Path

import pytest

from projects import ENV, Desk, repository

from .scene import PATIENCE_S, SCRIPT, Scene, Signal, end_of

pytestmark = pytest.mark.integration


class Person:
    """Somebody with a repository and a template of their own, called `hooked`, which they have approved."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.project = repository(scene.place / "project")
        self.agent = ""

    async def keeps(self, hooks: dict[str, str]) -> None:
        home = self.scene.home
        home.templates.mkdir(parents=True)
        commands = {name: ["sh", "-c", text, str(self.scene.place)] for name, text in hooks.items()}
        template = {"id": "hooked", "name": "Hooked", "extends": "_default", "config": {"spawnDelay": 0}}
        (home.templates / "hooked.json").write_text(json.dumps({**template, "hooks": commands}))
        self.agent = Desk(home).script(SCRIPT)
        status, _, said = await self.types("template", "approve", "hooked", "--yes")
        assert status == 0, said

    async def starts(self, *words: str) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "bigtask", *words),
            cwd=self.project.root,
            env={**ENV, "HOME": str(self.scene.place), "BIGTASK_HOME": str(self.scene.home.path)},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )

    async def types(self, *words: str) -> tuple[int | None, str, str]:
        return await ended(await self.starts(*words))


async def ended(process: asyncio.subprocess.Process) -> tuple[int | None, str, str]:
    """Exit status and what was printed to either stream."""
    try:
        async with asyncio.timeout(PATIENCE_S):
            out, err = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return process.returncode, out.decode(), err.decode()


@pytest.fixture
def person(scene: Scene) -> Person:
    return Person(scene)


def run(agent: str) -> tuple[str, ...]:
    return ("run", "hooked", "Do the work", "--agent", agent, "--yes")


async def test_what_a_hook_came_to_is_told_while_it_runs_in_the_result_and_afterwards(person: Person) -> None:
    await person.keeps({"onAnalysisComplete": "true", "onAllWorkersComplete": "echo no room >&2; exit 28"})
    status, result, progress = await person.types(*run(person.agent))
    assert status == 0
    assert "hook          ran        onAnalysisComplete" in progress
    assert "hook          failed     onAllWorkersComplete ended with 28: no room" in progress
    assert "nothing missed" not in result
    assert "the hook onAllWorkersComplete ended with 28" in result
    _, page, _ = await person.types("show", "last")
    assert page.startswith("Missed, mended or assumed")
    assert "the hook onAllWorkersComplete ended with 28" in page
    _, log, _ = await person.types("logs", "last")
    assert "failed    onAllWorkersComplete ended with 28: no room" in log
    _, shown, _ = await person.types("show", "last", "--json")
    hooks = json.loads(shown)["hooks"]
    assert hooks["onAllWorkersComplete"] == {"ran": 1, "failed": 1, "due": 0, "problem": "ended with 28"}


async def test_a_person_who_does_not_wait_for_a_hook_leaves_it_for_later(
    person: Person, begun: Signal
) -> None:
    again = 'if [ -e "$0/again" ]; then exit 0; fi; touch "$0/again"; '
    await person.keeps({"onAllWorkersComplete": again + 'echo $$ > "$0/begun"; exec sleep 1000'})
    running = await person.starts(*run(person.agent))
    assert running.stderr is not None
    pid = int(await begun.line())
    async with asyncio.timeout(PATIENCE_S):
        while b"its hook onAllWorkersComplete isn't" not in await running.stderr.readline():
            pass
    running.send_signal(signal.SIGINT)
    status, result, said = await ended(running)
    assert status == 130
    assert result.startswith("Complete: 2 tasks")
    assert said.strip() == "stopped before its hooks had ended: `bigtask watch last` runs them again"
    await end_of(pid)
    _, page, _ = await person.types("show", "last")
    assert "its hook onAllWorkersComplete hasn't ended, and is run again by `bigtask watch`" in page
    status, _, progress = await person.types("watch", "last")
    assert status == 0
    assert "ran        onAllWorkersComplete" in progress
    _, page, _ = await person.types("show", "last")
    assert "hasn't ended" not in page


async def test_hooks_of_a_template_that_was_not_approved_are_not_run(person: Person) -> None:
    await person.keeps({"onAnalysisComplete": 'touch "$0/evil"'})
    file = person.scene.home.templates / "hooked.json"
    file.write_text(file.read_text().replace("touch", "touch  "))
    status, _, said = await person.types(*run(person.agent))
    assert status == 2
    assert "hasn't been approved" in said
    assert not list(Path(person.scene.place).rglob("evil"))
