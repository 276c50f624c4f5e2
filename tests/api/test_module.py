"""The Python API, on real runs: real git, the scripted and the offline agent."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from bigtask import BigtaskError, Options, OrchestratorModule, WorkerConfig
from bigtask.agents.scripted.agent import ScriptedAgent
from bigtask.agents.scripted.script import script_of
from bigtask.core.edits import DropTask
from bigtask.errors import Conflict, InvalidInput, NotFound, StaleRevision, StoreFull
from bigtask.host.log import SqliteLog

pytestmark = pytest.mark.integration

HOLDER = Path(__file__).parents[1] / "host" / "second.py"
"""Another process, as another terminal would be."""

TASKS = [
    {"id": "left", "title": "Left", "description": "d"},
    {"id": "right", "title": "Right", "description": "d"},
    {"id": "both", "title": "Both", "description": "d", "dependencies": ["left", "right"]},
]


def git(folder: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=t", "-c", "user.email=t@t.invalid", "-c", "commit.gpgsign=false")
    return subprocess.run(
        ["git", *identity, *arguments], cwd=folder, check=True, capture_output=True, text=True
    ).stdout


def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    git(folder, "init", "-q", "-b", "main")
    (folder / "README.md").write_text("hello\n")
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "first")
    return folder


def module(tmp_path: Path, script: dict[str, object] | None = None) -> OrchestratorModule:
    agent = ScriptedAgent(script_of({"tasks": TASKS, **(script or {})}))
    return OrchestratorModule(agent, worker=WorkerConfig(max_workers=2), home=tmp_path / "home")


def step(when: dict[str, object], **played: object) -> dict[str, object]:
    return {"turns": [{"when": when, "steps": [played]}]}


async def test_when_the_holder_of_a_run_is_killed_the_module_goes_on_with_it(tmp_path: Path) -> None:
    file = tmp_path / "script.json"
    waits = step({"phase": "workerExecution"}, do="delay", seconds=600)
    file.write_text(json.dumps({"tasks": TASKS, **waits}))
    async with module(tmp_path) as bigtask:
        run = await bigtask.orchestrators.create(
            template_id="_default",
            cwd=project(tmp_path),
            message="Do it",
            options=Options(agent=f"scripted:{file}", yes=True),
        )
        argv = [sys.executable, str(HOLDER), str(bigtask.home.find(run.id).path), "hold"]
        holder = await asyncio.create_subprocess_exec(*argv, stdout=asyncio.subprocess.PIPE)
        try:
            assert holder.stdout is not None
            assert json.loads(await holder.stdout.readline()) == {"held": True}
            assert (await bigtask.orchestrators.pause(run.id)).status == "paused"
        finally:
            holder.kill()
            await holder.communicate()
        assert (await bigtask.orchestrators.cancel(run.id)).status == "cancelled"
        assert (await bigtask.orchestrators.get(run.id)).outcome == "cancelled"


async def test_a_run_goes_from_created_to_complete_and_into_the_branch(tmp_path: Path) -> None:
    folder = project(tmp_path)
    heard: list[str] = []
    async with module(tmp_path) as bigtask:
        bigtask.on("worker:completed", lambda run, event: heard.append(event.data.task_id))
        run = await bigtask.orchestrators.create(
            template_id="_default", cwd=folder, message="Do it", options=Options(yes=True)
        )
        assert (run.status, run.allowed) == ("created", ("cancel", "delete", "start"))
        await bigtask.orchestrators.start(run.id)
        events = [event async for event in bigtask.events(run.id)]
        assert [event.seq for event in events] == list(range(1, len(events) + 1))
        done = await bigtask.orchestrators.get(run.id)
        assert (done.status, done.outcome) == ("completed", "complete")
        assert sorted(done.output_files) == ["both.txt", "left.txt", "right.txt"]
        assert not (folder / "left.txt").exists()
        assert "left.txt" in await bigtask.orchestrators.diff(run.id)
        assert (await bigtask.orchestrators.merge(run.id))["already"] is False
        assert (folder / "left.txt").exists()
        assert (await bigtask.orchestrators.merge(run.id))["already"] is True
        await bigtask.orchestrators.merge(run.id, undo=True)
        assert not (folder / "left.txt").exists()
        assert await bigtask.workers.statistics(run.id) == dict(done.tasks)
        worker = await bigtask.workers.get(run.id, "both")
        assert (worker.status, worker.attempts[0].state) == ("completed", "completed")
        assert '"who":"agent"' in await bigtask.workers.transcript(run.id, "both")
    assert {"left", "right", "both"} <= set(heard)


async def test_a_plan_is_edited_and_confirmed_with_modifications(tmp_path: Path) -> None:
    folder = project(tmp_path)
    async with module(tmp_path) as bigtask:
        run = await bigtask.orchestrators.create(template_id="_default", cwd=folder, message="Do it")
        await bigtask.orchestrators.start(run.id)
        await reached(bigtask, run.id, "orchestrator:waiting")
        assert (await bigtask.orchestrators.get(run.id)).status == "confirming"
        edited = await bigtask.orchestrators.edit_plan(run.id, [DropTask(id="right")], revision=1)
        assert edited.plan is not None
        assert [task.id for task in edited.plan.tasks] == ["left", "both"]
        assert edited.plan.tasks[1].dependencies == ("left",)
        with pytest.raises(StaleRevision):
            await bigtask.orchestrators.edit_plan(run.id, [DropTask(id="both")], revision=1)
        await bigtask.orchestrators.confirm_tasks(run.id, {"both": {"skip": True}}, revision=2)
        await reached(bigtask, run.id, "orchestrator:completed")
        assert [w.task_id for w in await bigtask.workers.list(run.id, status="skipped")] == ["both"]
        assert (await bigtask.orchestrators.get(run.id)).outcome == "complete"


async def test_a_failed_task_is_retried_by_hand_in_a_finished_run(tmp_path: Path) -> None:
    folder = project(tmp_path)
    failing = step({"task": "left", "attempt": 1}, do="answer", data={"status": "failed", "error": "no luck"})
    async with module(tmp_path, failing) as bigtask:
        run = await bigtask.orchestrators.create(
            template_id="_default", cwd=folder, message="Do it", options=Options(yes=True, max_retries=0)
        )
        await bigtask.orchestrators.start(run.id)
        await reached(bigtask, run.id, "orchestrator:completed")
        view = await bigtask.orchestrators.get(run.id)
        assert view.outcome == "incomplete"
        assert view.tasks == {
            **dict.fromkeys(view.tasks, 0),
            "total": 3,
            "completed": 1,
            "failed": 1,
            "skipped": 1,
        }
        await bigtask.workers.retry(run.id, "left")
        await reached(bigtask, run.id, "orchestrator:completed", after=view.seq)
        assert (await bigtask.orchestrators.get(run.id)).outcome == "complete"


async def test_cancelling_ends_everything_and_says_so(tmp_path: Path) -> None:
    folder = project(tmp_path)
    async with module(tmp_path, step({"task": "left"}, do="hang")) as bigtask:
        run = await bigtask.orchestrators.create(
            template_id="_default", cwd=folder, message="Do it", options=Options(yes=True)
        )
        await bigtask.orchestrators.start(run.id)
        await reached(bigtask, run.id, "worker:started", task="left")
        view = await bigtask.orchestrators.cancel(run.id)
        assert (view.status, view.outcome) == ("cancelled", "cancelled")
        with pytest.raises(Conflict, match="cancelled"):
            await bigtask.orchestrators.pause(run.id)


async def test_unknown_names_are_told_in_a_sentence(tmp_path: Path) -> None:
    async with module(tmp_path) as bigtask:
        with pytest.raises(NotFound, match="bigtask list"):
            await bigtask.orchestrators.start("../../etc")
        with pytest.raises(BigtaskError, match="nothere"):
            await bigtask.orchestrators.create(template_id="nothere", cwd=tmp_path, message="x")
        run = await bigtask.orchestrators.create(template_id="_default", cwd=project(tmp_path), message="x")
    with pytest.raises(Conflict, match="isn't open"):
        await OrchestratorModule(home=tmp_path / "home").orchestrators.start(run.id)


async def test_what_closes_the_module_lets_go_and_the_next_one_goes_on(tmp_path: Path) -> None:
    folder = project(tmp_path)
    hanging = {**step({"task": "left", "attempt": 1}, do="hang"), "can_resume": False}
    async with module(tmp_path, hanging) as first:
        run = await first.orchestrators.create(
            template_id="_default", cwd=folder, message="Do it", options=Options(yes=True)
        )
        await first.orchestrators.start(run.id)
        await reached(first, run.id, "worker:started", task="left")
    async with module(tmp_path, {"can_resume": False}) as second:
        assert (await second.orchestrators.list())[0].id == run.id
        events = [event async for event in second.events(run.id)]
        assert "orchestrator:recovered" in [event.type for event in events]
        worker = await second.workers.get(run.id, "left")
        assert [attempt.state for attempt in worker.attempts] == ["lost", "completed"]


async def test_what_the_program_raises_arrives_as_it_is(tmp_path: Path) -> None:
    folder = project(tmp_path)

    async def work_then_fail() -> None:
        async with module(tmp_path, step({"task": "left"}, do="hang")) as bigtask:
            run = await bigtask.orchestrators.create(
                template_id="_default", cwd=folder, message="Do it", options=Options(yes=True)
            )
            await bigtask.orchestrators.start(run.id)
            await reached(bigtask, run.id, "worker:started", task="left")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await work_then_fail()


async def reached(
    bigtask: OrchestratorModule, run_id: str, type_name: str, *, task: str | None = None, after: int = 0
) -> None:
    async with asyncio.timeout(60):
        async for event in (await bigtask.link(run_id)).follow(after):
            if event.type == type_name and task in (None, getattr(event.data, "task_id", None)):
                return


def test_the_readme_s_program_runs_as_it_stands(tmp_path: Path) -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    (program,) = re.findall(r"```python\n(.*?)```", readme, flags=re.S)
    package = tmp_path / "project" / "little"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(
        '"""A little package."""\n\ndef greet(name: str) -> str:\n    """Say hello."""\n    return name\n'
    )
    ended = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        cwd=tmp_path / "project",
        env={
            "BIGTASK_HOME": str(tmp_path / "home"),
            "PATH": "/usr/bin:/bin:/usr/local/bin",
            "HOME": str(tmp_path),
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert "orchestrator:completed" in ended.stdout
    assert "2 of 2 tasks completed" in ended.stdout


async def test_deleting_forgets_the_run_and_keeps_its_branches(tmp_path: Path) -> None:
    folder = project(tmp_path)
    async with module(tmp_path) as bigtask:
        run = await bigtask.orchestrators.create(
            template_id="_default", cwd=folder, message="Do it", options=Options(yes=True)
        )
        await bigtask.orchestrators.start(run.id)
        with pytest.raises(Conflict, match="delete"):
            await bigtask.orchestrators.delete(run.id)
        await reached(bigtask, run.id, "orchestrator:completed")
        await bigtask.orchestrators.delete(run.id)
        assert await bigtask.orchestrators.list() == []
    assert git(folder, "worktree", "list").count("\n") == 1
    assert "left.txt" in git(folder, "ls-tree", "--name-only", f"bigtask/{run.id}/main")


async def test_a_plain_folder_s_result_isn_t_deleted_before_it_is_merged(tmp_path: Path) -> None:
    folder = tmp_path / "plain"
    folder.mkdir()
    async with module(tmp_path) as bigtask:
        run = await bigtask.orchestrators.create(
            template_id="_default", cwd=folder, message="Do it", options=Options(yes=True)
        )
        await bigtask.orchestrators.start(run.id)
        await reached(bigtask, run.id, "orchestrator:completed")
        with pytest.raises(Conflict, match="merge it first"):
            await bigtask.orchestrators.delete(run.id)
        await bigtask.orchestrators.merge(run.id)
        await bigtask.orchestrators.delete(run.id)
    assert sorted(path.name for path in folder.iterdir()) == ["both.txt", "left.txt", "right.txt"]


async def test_a_request_that_isn_t_text_is_refused(tmp_path: Path) -> None:
    async with module(tmp_path) as bigtask:
        with pytest.raises(InvalidInput, match="UTF-8"):
            await bigtask.orchestrators.create(
                template_id="_default", cwd=project(tmp_path), message="half a \udce9 character"
            )
        assert await bigtask.orchestrators.list() == []


async def test_a_run_that_can_t_be_recorded_isn_t_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def full(log: SqliteLog, expected_seq: int, events: object) -> None:
        raise StoreFull("the disk is full")

    monkeypatch.setattr(SqliteLog, "append", full)
    async with module(tmp_path) as bigtask:
        with pytest.raises(StoreFull):
            await bigtask.orchestrators.create(template_id="_default", cwd=project(tmp_path), message="x")
        assert list((tmp_path / "home" / "runs").iterdir()) == []
