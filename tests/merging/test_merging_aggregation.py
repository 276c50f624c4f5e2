"""When commands judge the result, what is committed stands in the integration workspace, and nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bigtask.approvals import Approvals
from bigtask.core.commands import Start
from bigtask.core.states import Outcome
from bigtask.core.view import view
from bigtask.host.access import hold
from bigtask.host.hands import Hands
from bigtask.host.home import RunFolder
from bigtask.templates.consent import TemplateNotApproved
from bigtask.templates.manager import TemplateManager
from bigtask.workspaces.run_workspaces import RunWorkspaces
from host.stage import Agents, Stage, answer, carried_out, states, turn, until, until_end, write
from projects import Project, repository

pytestmark = pytest.mark.integration

JUDGED = {"status": "passed", "summary": "All is well."}


def script(*turns: dict[str, Any]) -> dict[str, Any]:
    return {"tasks": [{"id": "one", "file": "one.txt"}], "turns": list(turns)}


def aggregates(*steps: dict[str, Any], **when: Any) -> dict[str, Any]:
    said = {"do": "answer", "data": {"status": "success", "summary": "One result."}}
    return turn(*steps, said, phase="aggregation", **when)


async def create(stage: Stage, agents: Agents, *commands: list[str]) -> RunFolder:
    repository(stage.place / "project", {"a.txt": "a\n"})
    phases = {
        "analysis": {"enabled": False},
        "aggregation": {"enabled": True},
        "verification": {"enabled": True, "commands": list(commands)},
    }
    try:
        return await stage.create(agents, isolation="worktree", phases=phases)
    except TemplateNotApproved as refused:
        home = stage.desk.home
        TemplateManager(user_dir=home.templates, approvals=Approvals(home.approvals)).approve(refused.consent)
    return await stage.create(agents, isolation="worktree", phases=phases)


def result(project: Project, folder: RunFolder) -> dict[str, str]:
    branch = f"bigtask/{folder.id}/main"
    names = project.lines("ls-tree", "-r", "--name-only", branch)
    return {name: project.git("show", f"{branch}:{name}") for name in names}


def integration(folder: RunFolder) -> Project:
    return Project(folder.path / "workspaces" / f"{folder.id}.main.1")


async def test_what_aggregation_writes_is_in_the_result_and_the_record_says_so(stage: Stage) -> None:
    agents = Agents(script(aggregates(write("RESULT.md", "all\n"), write("a.txt", "b\n"))))
    folder = await create(stage, agents, ["grep", "-q", "all", "RESULT.md"])
    run = await carried_out(folder, agents)
    assert run.outcome is Outcome.COMPLETE
    assert result(stage.project, folder) == {"RESULT.md": "all", "a.txt": "b", "one.txt": "one"}
    assert integration(folder).git("status", "--porcelain") == ""
    assert view(run).warnings == ("@aggregation itself changed RESULT.md, a.txt",)
    assert view(run).output_files == ("RESULT.md", "a.txt", "one.txt")
    evidence = run.reserved["@aggregation"].attempts[0].evidence
    assert evidence is not None
    assert (evidence.insertions, evidence.deletions) == (2, 1)
    assert evidence.commit == stage.project.git("rev-parse", f"bigtask/{folder.id}/main")


STRAYS = script(
    turn(write("half.md", "half\n"), {"do": "crash"}, phase="aggregation", attempt=1),
    turn(write("stray.txt", "stray\n"), {"do": "crash"}, phase="verification", attempt=1),
)
WITHOUT = (["test", "!", "-e", "half.md"], ["test", "!", "-e", "stray.txt"])


async def leave_strays(stage: Stage) -> None:
    agents = Agents(STRAYS)
    folder = await create(stage, agents, *WITHOUT)
    run = await carried_out(folder, agents)
    assert states(run, "@aggregation") == ["crashed", "completed"]
    assert states(run, "@verification") == ["crashed", "completed"]
    assert run.outcome is Outcome.COMPLETE, run.reason
    project = stage.project
    assert result(project, folder) == {"a.txt": "a", "one.txt": "one"}
    refs = project.lines("for-each-ref", "--format=%(refname)", f"refs/bigtask/rescue/{folder.id}/main")
    kept = {name for ref in refs for name in project.lines("ls-tree", "-r", "--name-only", ref)}
    assert {"half.md", "stray.txt"} <= kept


async def test_what_a_session_left_lying_there_is_put_aside_before_anything_is_checked(stage: Stage) -> None:
    await leave_strays(stage)


async def test_without_putting_it_aside_a_check_would_see_it(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mutant of the test above: it has to notice."""

    async def nothing(*_: Any) -> None:
        pass

    monkeypatch.setattr(RunWorkspaces, "clear_integration", nothing)
    with pytest.raises(AssertionError):
        await leave_strays(stage)


async def recorded_once(stage: Stage) -> None:
    """The holder ends when the work is reported, before or while it is recorded; the next one records it."""
    agents = Agents(script(aggregates(write("RESULT.md", "all\n"))))
    folder = await create(stage, agents, ["test", "-e", "RESULT.md"])
    async with hold(folder, agents, who="a test") as link:
        await link.ask(Start())
        await until(link, lambda event: _reported(event.data, "@aggregation"))
    async with hold(folder, agents, who="a test") as link:
        await until_end(link)
        run = link.holder.run
    assert run.outcome is Outcome.COMPLETE, run.reason
    assert states(run, "@aggregation") == ["completed"]
    log = stage.project.lines("log", "--format=%s", f"bigtask/{folder.id}/main", "--", "RESULT.md")
    assert log == ["What @aggregation wrote"]
    evidence = run.reserved["@aggregation"].attempts[0].evidence
    assert evidence is not None
    assert evidence.files == ("RESULT.md",)


def _reported(data: Any, task_id: str) -> bool:
    return data.type == "worker:reported" and data.task_id == task_id


async def test_a_crash_between_the_report_and_its_commit_loses_nothing(stage: Stage) -> None:
    await recorded_once(stage)


async def test_without_being_taken_up_again_it_would_be_lost(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mutant of the test above: nobody integrates what @aggregation reported."""
    integrate = Hands.integrate

    def careless(self: Hands, task_id: str, number: int) -> None:
        if task_id != "@aggregation":
            integrate(self, task_id, number)

    monkeypatch.setattr(Hands, "integrate", careless)
    monkeypatch.setattr("host.stage.PATIENCE_S", 3.0)
    with pytest.raises(TimeoutError):
        await recorded_once(stage)


async def test_where_it_writes_nothing_there_is_nothing_to_tell(stage: Stage) -> None:
    agents = Agents(script(turn(answer(), phase="workerExecution")))
    folder = await create(stage, agents)
    run = await carried_out(folder, agents)
    assert run.outcome is Outcome.COMPLETE
    assert view(run).warnings == ()
    assert Path(folder.path / "workspaces").is_dir()
