from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from bigtask.core.states import AttemptState, Outcome
from bigtask.host import preparation
from bigtask.host.access import hold, read, read_run
from bigtask.host.transcript_folder import TranscriptFolder
from bigtask.workspaces import prepared
from projects import ENV

from .scene import ENDS, PATIENCE_S, Scene, answered, until

pytestmark = pytest.mark.integration

TWO = {"tasks": [{"id": "one"}, {"id": "two"}]}
COUNT = 'echo "$PWD" >> "$0/ran"'


async def test_the_set_up_runs_once_in_each_workspace_and_its_output_is_kept(tmp_path):
    scene = Scene(tmp_path, TWO)
    folder = await scene.create(scene.project(), setup=f"{COUNT}; echo making things ready; touch made")
    run = await scene.carried_out(folder)
    assert run.outcome is Outcome.COMPLETE
    names = sorted(Path(line).name for line in scene.left("ran"))
    assert names == [f"{folder.id}.one.1", f"{folder.id}.two.1"]
    assert b"making things ready" in TranscriptFolder(folder.transcripts).read("one", 1)


async def test_a_set_up_that_fails_is_a_question_and_no_failure_of_the_task(tmp_path):
    scene = Scene(tmp_path, TWO)
    broken = f'{COUNT}; echo "no such package: left-pad" >&2; test -e "$0/mended"'
    folder = await scene.create(scene.project(), setup=broken)
    async with scene.held(folder) as link:
        asked = (await until(link, "orchestrator:waiting")).data.waiting
        assert "`sh -c" in asked.question
        assert "ended with 1 (no such package: left-pad)" in asked.question
        assert asked.options == ("retry", "without", "stop")
        assert asked.details["output"] == "no such package: left-pad\n"
        first = await until(link, "worker:lost")
        await until(link, "worker:lost", after=first.seq)
        (tmp_path / "mended").touch()
        await answered(link, "retry")
        await until(link, *ENDS)
    run = await read_run(folder)
    assert run.outcome is Outcome.COMPLETE
    assert [record.failures for record in run.tasks.values()] == [0, 0]
    # Both failed at once, and one question was enough.
    assert sum(event.type == "orchestrator:waiting" for event in await read(folder)) == 1
    assert {a.state for r in run.tasks.values() for a in r.attempts} == {
        AttemptState.LOST,
        AttemptState.COMPLETED,
    }


async def test_nothing_starts_while_the_question_is_open_whoever_holds_the_run(tmp_path):
    scene = Scene(tmp_path, TWO)
    folder = await scene.create(scene.project(), setup=f"{COUNT}; exit 3", max_workers=1)
    async with scene.held(folder) as link:
        await until(link, "orchestrator:waiting")
    ran = len(scene.left("ran"))
    async with hold(folder, scene.agents, who="another") as link:
        assert [event.type async for event in link.follow(stay=False)].count("worker:spawned") >= 1
        assert len(scene.left("ran")) == ran == 1
        await answered(link, "without")
        await until(link, *ENDS)
    run = await read_run(folder)
    assert run.outcome is Outcome.COMPLETE
    assert len(scene.left("ran")) == 1


async def test_stop_ends_the_run(tmp_path):
    scene = Scene(tmp_path, TWO)
    folder = await scene.create(scene.project(), setup="exit 1")
    async with scene.held(folder) as link:
        await answered(link, "stop")
        await until(link, *ENDS)
    assert (await read_run(folder)).outcome is Outcome.CANCELLED


async def test_a_set_up_has_a_time_limit_and_leaves_no_process(tmp_path, monkeypatch):
    monkeypatch.setattr(preparation.Preparation.__init__, "__kwdefaults__", {"timeout_s": 0.5})
    scene = Scene(tmp_path, {"tasks": [{"id": "one"}]})
    hanging = (
        'setsid sh -c "echo \\$\\$ > $0/pid; exec sleep 600" & while [ ! -s "$0/pid" ]; do :; done; wait'
    )
    folder = await scene.create(scene.project(), setup=hanging)
    async with scene.held(folder) as link:
        asked = (await until(link, "orchestrator:waiting")).data.waiting
        assert "didn't end within 0.5 s" in asked.question
        with pytest.raises(ProcessLookupError):
            os.kill(int(scene.left("pid")[0]), 0)


@pytest.mark.parametrize("command", [["bigtask-has-no-such-program"], ["sh", "-c", "\0"]])
async def test_a_set_up_that_cannot_be_run_says_so(tmp_path, command):
    scene = Scene(tmp_path, {"tasks": [{"id": "one"}]})
    folder = await scene.create(scene.project(), setup="true")
    async with hold(folder, scene.agents, who="a test", idle=True) as link:
        state = link.holder.run
        said = preparation.Preparation(state, folder.path, str)
        workspaces = link.holder.hands.places.workspaces
        await workspaces.prepare()
        workspace = await workspaces.acquire("one", 1)
        with pytest.raises(preparation.NotReady, match="couldn't be run"):
            await said._run(command, workspace, print)


HOLDER = """
import asyncio, sys
from pathlib import Path
from preparation.scene import Scene
scene = Scene(Path(sys.argv[1]), {"tasks": [{"id": "one"}]})
async def main():
    async with scene.held(scene.home.find("last")):
        await asyncio.Event().wait()
asyncio.run(main())
"""


async def killed(scene: Scene, once: Path) -> None:
    """A holder of its own process, killed when the file is there."""
    env = {**ENV, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", HOLDER, str(scene.place), env=env, stdin=asyncio.subprocess.DEVNULL
    )
    try:
        async with asyncio.timeout(PATIENCE_S):
            while not once.exists():
                assert process.returncode is None
                await asyncio.sleep(0.01)
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGKILL)
        await process.wait()


def has_ended(pid: int) -> bool:
    """Also where nobody has reaped it yet."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return True
    return state == "Z"


async def test_a_holder_killed_in_the_set_up_leaves_nothing_running_and_the_next_one_does_it_again(tmp_path):
    scene = Scene(tmp_path, {"tasks": [{"id": "one"}]})
    slow = (
        f'{COUNT}; [ -e "$0/begun" ] || {{ echo $$ > "$0/pid"; touch "$0/begun"; sleep 600; }}; touch ready'
    )
    folder = await scene.create(scene.project(), setup=slow)
    await killed(scene, tmp_path / "begun")
    run = await scene.carried_out(folder)
    assert run.outcome is Outcome.COMPLETE
    assert [Path(line).name for line in scene.left("ran")] == [f"{folder.id}.one.1", f"{folder.id}.one.2"]
    assert has_ended(int(scene.left("pid")[0]))


async def test_a_set_up_that_had_finished_is_not_repeated_in_the_same_workspace(tmp_path):
    scene = Scene(tmp_path, {"tasks": [{"id": "one"}]})
    folder = await scene.create(scene.project(), setup=COUNT)
    async with hold(folder, scene.agents, who="a test", idle=True) as link:
        workspaces = link.holder.hands.places.workspaces
        await workspaces.prepare()
        workspace = await workspaces.acquire("one", 1)
        for _ in range(2):
            again = preparation.Preparation(link.holder.run, folder.path, str)
            assert await again.prepare("one", 1, workspace, workspaces, lambda printed: None) is None
        assert len(scene.left("ran")) == 1
        # Another worktree of the same name begins from nothing.
        workspace.path.rename(tmp_path / "gone")
        workspace.path.mkdir()
        assert not prepared.of(folder.path, workspace.path).set_up


async def test_the_workspace_that_is_checked_is_set_up_as_well(tmp_path):
    scene = Scene(tmp_path, {"tasks": [{"id": "one"}]})
    checks = {"enabled": True, "commands": [["test", "-e", "made"]]}
    folder = await scene.create(
        scene.project({".gitignore": "made\n"}),
        setup="touch made",
        phases={"analysis": {"enabled": False}, "aggregation": {"enabled": False}, "verification": checks},
    )
    run = await scene.carried_out(folder)
    assert [check.exit_status for check in run.reserved["@verification"].attempts[-1].checks] == [0]
