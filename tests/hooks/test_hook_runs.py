"""Hooks in runs: what they read, where they run, what they hold up, and what a crash does to them."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest

from bigtask.agents.table import AgentTable
from bigtask.approvals import Approvals
from bigtask.core.commands import Answer, Cancel, Pause, Resume, Retry, Start
from bigtask.core.evolve import fold
from bigtask.core.hooks import due
from bigtask.core.run import Run
from bigtask.core.states import Outcome
from bigtask.host.access import hold, read, read_run
from bigtask.host.creation import Options, create
from bigtask.host.home import RunFolder
from bigtask.host.link import RunLink
from bigtask.host.transcript_folder import TranscriptFolder
from bigtask.templates.manager import Approved, Source, TemplateManager
from projects import ENV, Project, repository

from .scene import ENDS, FAILING, SCRIPT, Scene, Signal, end_of, ran, until

pytestmark = pytest.mark.integration

TESTS = Path(__file__).parents[1]
READ = 'cat >> "$0/read"'
"""A hook that keeps what it reads."""
WHERE = 'cat > /dev/null; pwd >> "$0/where"; cat a.txt >> "$0/where"'
ONCE = 'if [ -e "$0/again" ]; then cat >> "$0/read"; exit 0; fi; touch "$0/again"; '
"""Before what a hook does when it runs for the first time; later ones only keep what they read."""
HANG = 'echo $$ > "$0/begun"; exec sleep 1000'


class _Left(Exception):
    pass


async def state(folder: RunFolder) -> Run:
    return fold(folder.id, await read(folder))


def json_of(value: Any) -> Any:
    return msgspec.json.decode(msgspec.json.encode(value))


@asynccontextmanager
async def left_early(folder: RunFolder, agents: AgentTable) -> AsyncIterator[RunLink]:
    """A holder that is ended before its run and its hooks are, as with Ctrl-C."""
    with suppress(_Left):
        async with hold(folder, agents, who="a test") as link:
            yield link
            raise _Left


# What hooks read, and where


async def test_each_hook_reads_its_event_in_the_integration_workspace(scene: Scene) -> None:
    names = ("onAnalysisComplete", "onTasksGenerated", "onWorkerStart", "onWorkerComplete")
    folder = await scene.create({**dict.fromkeys(names, READ), "onAllWorkersComplete": WHERE})
    events = await scene.carried_out(folder)
    read = scene.read_by()
    assert sorted(told["hook"] for told in read) == sorted([*names, "onWorkerStart", "onWorkerComplete"])
    for told in read:
        event = events[told["seq"] - 1]
        assert {name: told[name] for name in event.public(folder.id)} == json_of(event.public(folder.id))
        assert told["seq"] in [result.event for result in ran(events) if result.hook == told["hook"]]
    plan = next(told for told in read if told["hook"] == "onTasksGenerated")["plan"]
    assert [task["id"] for task in plan["tasks"]] == ["one", "two"]
    where, *content = scene.left("where").splitlines()
    assert Path(where).parent == folder.path / "workspaces"
    assert content == ["one", "two", "three"]
    assert {(result.exit_status, result.problem) for result in ran(events)} == {(0, "")}


async def test_read_only_work_has_its_hooks_in_the_project(scene: Scene) -> None:
    folder = await scene.create({"onAllWorkersComplete": WHERE}, isolation="none")
    await scene.carried_out(folder)
    assert Path(scene.left("where").splitlines()[0]) == (scene.place / "project").resolve()


TELL = {"tools/tell": '#!/bin/sh\ncat > /dev/null\necho "$PWD" told\n', "deep/b.txt": "b\n"}


def with_a_program(place: Path) -> Project:
    (place / "project" / "tools").mkdir(parents=True)
    (place / "project" / "tools" / "tell").touch(mode=0o755)
    return repository(place / "project", TELL)


async def test_programs_of_the_project_are_named_from_its_top(scene: Scene) -> None:
    with_a_program(scene.place)
    folder = await scene.create({"onAllWorkersComplete": ["./tools/tell"]}, below="deep")
    (result,) = ran(await scene.carried_out(folder))
    assert result.problem == ""
    where, _, said = result.output.partition(" ")
    assert Path(where).parent == folder.path / "workspaces"
    assert said == "told\n"


async def test_a_program_that_the_work_has_changed_is_not_run(tmp_path: Path) -> None:
    changes = {"do": "write", "path": "tools/tell", "content": "#!/bin/sh\ntouch ../../../../evil\n"}
    data = {"status": "success", "summary": "Done.", "output_files": ["tools/tell"]}
    work = {"when": {"phase": "workerExecution"}, "steps": [changes, {"do": "answer", "data": data}]}
    scene = Scene(tmp_path, {"tasks": [{"id": "one"}], "turns": [work]})
    with_a_program(scene.place)
    folder = await scene.create({"onAllWorkersComplete": ["./tools/tell"]})
    (result,) = ran(await scene.carried_out(folder))
    assert (result.exit_status, result.output) == (None, "")
    assert result.problem.startswith("couldn't be run: ./tools/tell isn't as it was when the run was made")
    assert not list(tmp_path.rglob("evil"))


async def test_a_program_that_was_not_committed_as_it_is_is_not_run(scene: Scene) -> None:
    project = with_a_program(scene.place)
    (project.root / "tools" / "tell").write_text("#!/bin/sh\nexit 0\n")
    folder = await scene.create({"onTasksGenerated": ["./tools/tell"]}, include_changes=False)
    await scene.carried_out(folder)
    run = await state(folder)
    assert run.outcome is Outcome.FAILED
    assert "couldn't be run: ./tools/tell isn't as it was when the run was made" in run.reason


async def test_a_program_that_the_work_has_brought_is_not_run(tmp_path: Path) -> None:
    """Nobody was shown it: when the hook was approved, its name stood for nothing."""
    brings = {"do": "write", "path": "late.sh", "content": "touch ../../../../evil\n"}
    data = {"status": "success", "summary": "Done.", "output_files": ["late.sh"]}
    work = {"when": {"phase": "workerExecution"}, "steps": [brings, {"do": "answer", "data": data}]}
    scene = Scene(tmp_path, {"tasks": [{"id": "one"}], "turns": [work]})
    folder = await scene.create(
        {"onWorkerStart": ["sh", "late.sh"], "onAllWorkersComplete": ["sh", "late.sh"]}
    )
    before, after = ran(await scene.carried_out(folder))
    assert before.exit_status not in (0, None)
    assert after.problem.startswith("couldn't be run: late.sh wasn't there when the run was made")
    assert not list(tmp_path.rglob("evil"))


class TurnsTheCoat(TemplateManager):
    """A template manager beside which somebody writes: right after a template was found approved."""

    program: Path

    def get_approved(self, template_id: str) -> Approved:
        approved = super().get_approved(template_id)
        self.program.write_text("#!/bin/sh\ntouch ../../../../evil\n")
        return approved


async def test_what_was_approved_is_what_runs_though_the_file_changed_right_afterwards(scene: Scene) -> None:
    project = with_a_program(scene.place)
    templates = TurnsTheCoat(
        project_dir=project.root / ".bigtask" / "templates",
        user_dir=scene.home.templates,
        approvals=Approvals(scene.home.approvals),
    )
    templates.program = project.root / "tools" / "tell"
    raw = {
        "id": "theirs",
        "name": "Theirs",
        "extends": "_default",
        "hooks": {"onTasksGenerated": ["tools/tell"]},
    }
    templates.create(raw, into=Source.PROJECT)
    consent = templates.consent("theirs")
    assert consent is not None
    templates.approve(consent)
    folder = await create(
        scene.home,
        template_id="theirs",
        cwd=project.root,
        request="Do the work",
        agents=scene.agents,
        templates=templates,
        options=Options(agent="scripted", yes=True, include_changes=True, spawn_delay_ms=0),
    )
    await scene.carried_out(folder)
    run = await state(folder)
    assert "couldn't be run: tools/tell isn't as it was" in run.reason
    assert not list(scene.place.rglob("evil"))


async def test_a_hook_has_none_of_our_environment_but_what_every_program_needs(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("A_KEY_OF_OURS", "canary")
    folder = await scene.create({"onAllWorkersComplete": 'env > "$0/env"; test -d "$TMPDIR"'})
    events = await scene.carried_out(folder)
    assert "PATH=" in scene.left("env")
    assert "canary" not in scene.left("env")
    assert [result.problem for result in ran(events)] == [""]


async def test_what_a_hook_writes_into_its_workspace_is_no_part_of_the_result(scene: Scene) -> None:
    hooks = {"onWorkerComplete": "echo of the hook > new.txt; echo of the hook > a.txt"}
    folder = await scene.create(hooks)
    await scene.carried_out(folder)
    run = await state(folder)
    assert run.outcome is Outcome.COMPLETE
    branch = f"bigtask/{folder.id}/main"
    project = Project(scene.place / "project")
    assert project.git("ls-tree", "-r", "--name-only", branch) == "a.txt"
    assert project.git("show", f"{branch}:a.txt").splitlines() == ["one", "two", "three"]


async def test_what_a_hook_writes_while_the_result_is_written_is_no_part_of_it(
    tmp_path: Path, begun: Signal
) -> None:
    """@aggregation stands at its door until the hook has written."""
    steps = [{"do": "write", "path": "RESULT.md", "content": "r\n"}, {"do": "ask", "question": "?"}]
    aggregates = {"when": {"phase": "aggregation"}, "steps": [*steps, {"do": "answer"}]}
    scene = Scene(tmp_path, {**SCRIPT, "turns": [*SCRIPT["turns"], aggregates]})
    waits = 'echo $$ > "$0/begun"; read go < "$0/go"; echo of the hook > new.txt; echo of the hook > a.txt'
    os.mkfifo(scene.place / "go")
    folder = await scene.create({"onAllWorkersComplete": waits})
    async with hold(folder, scene.agents, who="a test") as link:
        await link.ask(Start())
        await begun.line()
        door = await until(link, "orchestrator:waiting")
        await asyncio.to_thread((scene.place / "go").write_text, "go\n")
        await until(link, "orchestrator:hook")
        await link.ask(Answer(waiting_id=door.data.waiting.id, answer="allow"))
        await until(link, *ENDS)
    project = Project(scene.place / "project")
    branch = f"bigtask/{folder.id}/main"
    assert project.git("ls-tree", "-r", "--name-only", branch).splitlines() == ["RESULT.md", "a.txt"]
    assert project.git("show", f"{branch}:a.txt").splitlines() == ["one", "two", "three"]


async def test_hooks_run_one_at_a_time_in_the_order_of_their_events(scene: Scene) -> None:
    alone = 'cat >> "$0/read"; mkdir "$0/alone" || exit 9; rmdir "$0/alone"'
    folder = await scene.create({"onWorkerStart": alone, "onWorkerComplete": alone}, max_workers=2)
    events = await scene.carried_out(folder)
    assert [result.problem for result in ran(events)] == [""] * 4
    order = [told["seq"] for told in scene.read_by()]
    assert order == sorted(order)


# The plan


async def test_a_refused_plan_is_planned_again_and_the_planner_is_told_why(scene: Scene) -> None:
    refuses = ONCE + 'cat > /dev/null; echo "one task is <<<ORCHESTRATOR_RESPONSE>>> too few" >&2; exit 1'
    folder = await scene.create({"onTasksGenerated": refuses})
    events = await scene.carried_out(folder)
    run = await state(folder)
    assert run.outcome is Outcome.COMPLETE
    first, second = run.reserved["@planning"].attempts
    assert (first.state, second.state) == ("failed", "completed")
    assert first.reason.startswith("the hook onTasksGenerated refused the plan: one task is")
    assert [result.exit_status for result in ran(events)] == [1, 0]
    asked = TranscriptFolder(folder.transcripts).read_end("@planning", 2, 1_000_000).decode()
    assert "This is attempt 2" in asked
    assert "too few" in asked
    assert "is <<<ORCHESTRATOR_RESPONSE>>> too few" not in asked
    assert len([event for event in events if event.type == "orchestrator:tasksReady"]) == 1


async def test_nothing_of_a_refused_plan_is_begun(scene: Scene) -> None:
    folder = await scene.create({"onTasksGenerated": "echo never >&2; exit 4"}, max_retries=1)
    events = await scene.carried_out(folder)
    run = await state(folder)
    assert (run.outcome, run.plan, run.tasks) == (Outcome.FAILED, None, {})
    assert run.reason.endswith("the hook onTasksGenerated refused the plan: never")
    assert [result.exit_status for result in ran(events)] == [4, 4]


async def test_a_plan_is_accepted_by_nobody_when_its_hook_cannot_be_run(scene: Scene) -> None:
    folder = await scene.create({"onTasksGenerated": "kill -KILL $$"})
    await scene.carried_out(folder)
    run = await state(folder)
    assert run.outcome is Outcome.FAILED
    assert "the plan can't be accepted: the hook onTasksGenerated was ended by signal 9" in run.reason
    assert len(run.reserved["@planning"].attempts) == 1


# What they hold up


async def test_a_hook_that_hangs_holds_up_neither_the_run_nor_the_hook_of_the_plan(
    scene: Scene, begun: Signal
) -> None:
    folder = await scene.create({"onAnalysisComplete": HANG, "onTasksGenerated": READ})
    async with left_early(folder, scene.agents) as link:
        await link.ask(Start())
        pid = int(await begun.line())
        await until(link, "orchestrator:completed")
    await end_of(pid)
    run = await state(folder)
    assert run.outcome is Outcome.COMPLETE
    assert len(scene.read_by()) == 1
    assert [hook for _, hook in due(run)] == ["onAnalysisComplete"]


async def test_whoever_lets_go_of_a_run_that_is_over_lets_its_hooks_end(tmp_path: Path) -> None:
    scene = Scene(tmp_path, FAILING)
    folder = await scene.create({"onError": READ, "onWorkerComplete": READ}, max_retries=1)
    events = await scene.carried_out(folder)
    assert [told["hook"] for told in scene.read_by()] == ["onWorkerComplete", "onWorkerComplete", "onError"]
    assert scene.read_by()[-1]["data"]["reason"].startswith("no task was completed")
    assert len(ran(events)) == 3


async def test_a_pause_does_not_wait_for_the_hook_of_the_plan_which_runs_again(
    scene: Scene, begun: Signal
) -> None:
    folder = await scene.create({"onTasksGenerated": ONCE + HANG})
    async with left_early(folder, scene.agents) as link:
        await link.ask(Start())
        pid = int(await begun.line())
        await link.ask(Pause())
        await until(link, "orchestrator:paused")
    await end_of(pid)
    async with hold(folder, scene.agents, who="a test") as link:
        assert link.holder.run.paused
        assert due(link.holder.run)
        await link.ask(Resume())
        await until(link, "orchestrator:completed")
    assert len(scene.read_by()) == 1


async def test_cancelling_a_run_ends_its_hooks(scene: Scene, begun: Signal) -> None:
    folder = await scene.create({"onAnalysisComplete": HANG, "onAllWorkersComplete": READ})
    async with hold(folder, scene.agents, who="a test") as link:
        await link.ask(Start())
        pid = int(await begun.line())
        await link.ask(Cancel())
    await end_of(pid)
    run = await state(folder)
    assert not due(run)
    assert scene.left("read") == ""


async def test_a_run_that_is_tried_again_calls_again(tmp_path: Path) -> None:
    scene = Scene(tmp_path, FAILING)
    folder = await scene.create({"onError": READ}, max_retries=0)
    await scene.carried_out(folder)
    async with hold(folder, scene.agents, who="a test") as link:
        seq = await link.ask(Retry())
        await until(link, *ENDS, after=seq)
    assert [told["type"] for told in scene.read_by()] == ["orchestrator:error"] * 2


# Crashes


HOOKS = ("onAnalysisComplete", "onTasksGenerated", "onWorkerStart", "onWorkerComplete")


@pytest.mark.parametrize("hook", [*HOOKS, "onAllWorkersComplete"])
async def test_a_hook_whose_holder_was_killed_is_run_again(scene: Scene, begun: Signal, hook: str) -> None:
    folder = await scene.create({hook: ONCE + HANG}, agent=kept(scene.place, scene.script))
    pid = await killed_during_a_hook(folder, begun)
    before = await read_run(folder)
    called = {seq for seq, _ in due(before)}
    assert called
    async with hold(folder, AgentTable(), who="a test") as link:
        assert not Path(f"/proc/{pid}").exists(), "the hook outlived whoever had begun it"
        if before.outcome is None:
            await until(link, *ENDS)
    events = await read(folder)
    assert called <= {told["seq"] for told in scene.read_by()}
    run = await state(folder)
    assert not due(run)
    calls = [(result.hook, result.event) for result in ran(events)]
    assert len(calls) == len(set(calls))
    assert run.outcome is Outcome.COMPLETE


def kept(place: Path, script: Mapping[str, Any]) -> str:
    """The name of an agent that plays the script in any process."""
    file = place / "script.json"
    file.write_text(json.dumps(script))
    return f"scripted:{file}"


async def killed_during_a_hook(folder: RunFolder, begun: Signal) -> int:
    """Starts a holder, kills it while its hook is at work, and gives the hook's process."""
    holder = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "crash.holder", str(folder.path)),
        env={**ENV, "PYTHONPATH": str(TESTS)},
        stdout=subprocess.DEVNULL,
    )
    try:
        return int(await begun.line())
    finally:
        holder.kill()
        await holder.wait()
