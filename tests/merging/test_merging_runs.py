"""Whole runs whose tasks get in each other's way: scripted agents, real git, results byte for byte."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from bigtask.core.commands import CancelTask, Start
from bigtask.core.ledger import Entry, ledger
from bigtask.core.run import Run
from bigtask.core.states import Outcome, WaitingKind
from bigtask.core.view import view
from bigtask.host import integration
from bigtask.host.access import hold
from bigtask.host.home import RunFolder
from bigtask.host.transcript_folder import TranscriptFolder
from bigtask.workspaces import merging_begun
from bigtask.workspaces.run_workspaces import RunWorkspaces
from host.stage import Agents, Stage, answer, recorded, states, turn, until_end, write
from projects import Project, repository

from .together import Together, asks

pytestmark = pytest.mark.integration

BEGIN = "one\ntwo\nthree\nfour\nfive\nsix\nseven\n"
FIRST = "1\ntwo\nthree\nfour\nfive\nsix\n7 of first\n"
SECOND = "one\ntwo\nthree\n4\nfive\nsix\n7 of second\n"
BOTH = "1\ntwo\nthree\n4\nfive\nsix\n7 of both\n"


@pytest.fixture
def project(stage: Stage) -> Project:
    return repository(stage.place / "project", {"a.txt": BEGIN, "doc.md": "# Title\n"})


def two(stage: Stage, *turns: dict[str, Any], **tasks: Any) -> Together:
    """`first` and `second` change the last line each in its own way, and another one each."""
    works = {
        "first": asks(write("a.txt", FIRST), files=["a.txt"]),
        "second": asks(write("a.txt", SECOND), write("beside.txt", "b\n"), files=["a.txt", "beside.txt"]),
    }
    return Together(stage, works, turns, tasks)


def files(project: Project, folder: RunFolder) -> dict[str, str]:
    """What the result is, byte for byte."""
    branch = f"bigtask/{folder.id}/main"
    names = project.lines("ls-tree", "-r", "--name-only", branch)
    return {name: whole(project, f"{branch}:{name}") for name in names}


def whole(project: Project, what: str) -> str:
    return project.git("cat-file", "-p", what) + "\n"


def entry(run: Run, id: str) -> Entry:
    return next(entry for entry in ledger(run) if entry.task_id == id)


def is_tidy(project: Project, folder: RunFolder) -> bool:
    """The integration worktree is what its branch says, and no merge is undecided."""
    integration = folder.path / "workspaces" / f"{folder.id}.main.1"
    clean = Project(integration).git("status", "--porcelain") == ""
    trial = project.git("for-each-ref", "refs/bigtask/trial")
    return clean and not trial


@pytest.mark.parametrize(
    ("rule", "last_line", "kept"),
    [
        ("first", "7 of first", "what was merged before is kept"),
        ("last", "7 of second", "this task's version is kept"),
    ],
)
async def test_a_rule_settles_the_lines_in_conflict_and_the_ledger_says_so(
    stage: Stage, project: Project, rule: str, last_line: str, kept: str
) -> None:
    before = project.seen()
    runs = two(stage)
    async with runs.carried_out(aggregation={"onConflict": rule}) as folder:
        await runs.comes_in("first", "second")
        run = await runs.ended(folder)
    assert run.outcome is Outcome.COMPLETE
    merged = f"1\ntwo\nthree\n4\nfive\nsix\n{last_line}\n"
    assert files(project, folder) == {"a.txt": merged, "beside.txt": "b\n", "doc.md": "# Title\n"}
    assert entry(run, "first").remarks == ()
    assert entry(run, "second").remarks == (f"in conflict, {kept}: a.txt",)
    assert entry(run, "second").files == ("a.txt", "beside.txt")
    assert view(run).warnings == (f"second: in conflict, {kept}: a.txt",)
    assert project.seen() == before
    assert is_tidy(project, folder)


async def test_a_person_sees_the_versions_and_keeps_one_side(stage: Stage, project: Project) -> None:
    for said, kept in (("ours", FIRST), ("theirs", SECOND)):
        runs = two(stage)
        async with runs.carried_out() as folder:
            await runs.comes_in("first", "second")
            waiting = await runs.asked()
            assert waiting.kind is WaitingKind.CONFLICT
            assert waiting.options == ("resolve", "done", "ours", "theirs", "retry", "skip")
            assert (
                "second conflicts with what is merged by now (of first) in a.txt (both changed the same"
                in (waiting.question)
            )
            shown = Path(waiting.details["versions"])
            texts = [(shown / side / "a.txt").read_text() for side in ("base", "ours", "theirs")]
            assert texts == [BEGIN, FIRST, SECOND]
            await runs.answered(waiting, said)
            run = await runs.ended(folder)
        assert run.outcome is Outcome.COMPLETE
        assert files(project, folder) == {"a.txt": kept, "beside.txt": "b\n", "doc.md": "# Title\n"}
        assert states(run, "second") == ["completed"]
        assert is_tidy(project, folder)


async def test_a_person_resolves_it_by_hand(stage: Stage, project: Project) -> None:
    runs = two(stage)
    async with runs.carried_out() as folder:
        await runs.comes_in("first", "second")
        waiting = await runs.asked()
        file = Path(waiting.details["workspace"]) / "a.txt"
        assert file.read_text().splitlines()[-7:] == [
            "<<<<<<< merged so far",
            "7 of first",
            "||||||| before",
            "seven",
            "=======",
            "7 of second",
            ">>>>>>> second, attempt 1",
        ]
        # Not yet: what is left of a marker is found.
        file.write_text(BOTH + ">>>>>>> second, attempt 1\n")
        await runs.answered(waiting, "done")
        again = await runs.asked()
        assert "a.txt still holds conflict markers" in again.question
        assert again.options == waiting.options
        file.write_text(BOTH)
        await runs.answered(again, "done")
        run = await runs.ended(folder)
    assert run.outcome is Outcome.COMPLETE
    assert files(project, folder) == {"a.txt": BOTH, "beside.txt": "b\n", "doc.md": "# Title\n"}
    assert entry(run, "second").remarks == ("in conflict, and resolved: a.txt",)
    assert entry(run, "second").files == ("a.txt", "beside.txt")
    assert is_tidy(project, folder)


def resolver(*steps: dict[str, Any], attempt: int = 2) -> dict[str, Any]:
    return turn(*steps, answer(output_files=["a.txt"]), task="second", attempt=attempt)


@pytest.mark.parametrize("asked", [False, True], ids=["by rule", "because a person says so"])
async def test_an_agent_resolves_it(stage: Stage, project: Project, asked: bool) -> None:
    runs = two(stage, resolver(write("a.txt", BOTH)), first={"description": "Count in digits."})
    async with runs.carried_out(aggregation={} if asked else {"onConflict": "resolve"}) as folder:
        await runs.comes_in("first", "second")
        if asked:
            await runs.answered(await runs.asked(), "resolve")
        run = await runs.ended(folder)
    assert run.outcome is Outcome.COMPLETE
    assert files(project, folder) == {"a.txt": BOTH, "beside.txt": "b\n", "doc.md": "# Title\n"}
    assert states(run, "second") == ["superseded", "completed"]
    assert run.tasks["second"].attempts[1].resolves == 1
    assert entry(run, "second").remarks == ("in conflict, and resolved: a.txt",)
    told = TranscriptFolder(folder.transcripts).read("second", 2).decode()
    for part in ("Count in digits.", "Do second.", "-seven", "+7 of first", "+7 of second", "a.txt: both"):
        assert part in told
    assert "This is attempt 2" not in told
    assert is_tidy(project, folder)


async def test_a_resolution_that_comes_to_nothing_is_a_persons_to_make(
    stage: Stage, project: Project
) -> None:
    """The markers stay, whatever the agent says; it is tried as often as anything, then somebody is asked."""
    runs = two(stage, turn(answer(output_files=["a.txt"]), task="second"))
    aggregation = {"onConflict": "resolve"}
    async with runs.carried_out(aggregation=aggregation, config={"maxRetries": 1}) as folder:
        await runs.comes_in("first", "second")
        waiting = await runs.asked()
        assert "isn't resolved (a.txt still holds conflict markers" in waiting.question
        assert files(project, folder)["a.txt"] == FIRST
        await runs.answered(waiting, "theirs")
        run = await runs.ended(folder)
    assert run.outcome is Outcome.COMPLETE
    assert states(run, "second") == ["superseded", "failed", "completed"]
    assert files(project, folder) == {"a.txt": SECOND, "beside.txt": "b\n", "doc.md": "# Title\n"}
    assert is_tidy(project, folder)


async def test_where_a_resolution_came_to_nothing_a_person_goes_on(stage: Stage, project: Project) -> None:
    """Where it lies is told, and what was thrown away there is laid out anew."""
    runs = two(stage, turn(answer(output_files=["a.txt"]), task="second"))
    aggregation = {"onConflict": "resolve"}
    async with runs.carried_out(aggregation=aggregation, config={"maxRetries": 0}) as folder:
        await runs.comes_in("first", "second")
        waiting = await runs.asked()
        versions = Path(waiting.details["versions"])
        assert [(versions / side / "a.txt").read_text() for side in ("ours", "theirs")] == [FIRST, SECOND]
        workspace = Path(waiting.details["workspace"])
        shutil.rmtree(workspace)
        await runs.answered(waiting, "done")
        again = await runs.asked()
        assert f"nobody has touched it yet: it lies in {workspace} now" in again.question
        assert "<<<<<<< merged so far" in (workspace / "a.txt").read_text()
        (workspace / "a.txt").write_text(BOTH)
        await runs.answered(again, "done")
        run = await runs.ended(folder)
    assert run.outcome is Outcome.COMPLETE
    assert files(project, folder) == {"a.txt": BOTH, "beside.txt": "b\n", "doc.md": "# Title\n"}
    assert is_tidy(project, folder)


async def test_a_place_that_cant_be_written_ends_attempts_and_not_the_run(
    stage: Stage, project: Project
) -> None:
    runs = two(stage)
    folder = await runs.create(Agents(runs.script()), config={"maxRetries": 0})
    (folder.path / "integrity").write_text("in the way")
    async with hold(folder, Agents(runs.script()), who="a test") as link:
        await link.ask(Start())
        await until_end(link)
    run = await recorded(folder)
    assert run.outcome is Outcome.FAILED
    assert "integrity" in run.reason


async def test_a_chain_of_three_comes_together_in_its_order(stage: Stage, project: Project) -> None:
    """Each builds on the one before, while another one changes the same file beside them."""
    works = {
        "one": asks(write("a.txt", BEGIN.replace("one", "1")), files=["a.txt"]),
        "two": asks(write("a.txt", BEGIN.replace("one", "1").replace("two", "2")), files=["a.txt"]),
        "three": asks(write("a.txt", BEGIN.replace("one\ntwo\nthree", "1\n2\n3")), files=["a.txt"]),
        "aside": asks(write("a.txt", BEGIN.replace("seven", "7")), files=["a.txt"]),
    }
    needs = {"two": {"dependencies": ["one"]}, "three": {"dependencies": ["two"]}}
    runs = Together(stage, works, tasks=needs)
    async with runs.carried_out() as folder:
        await runs.comes_in("one", "two", "aside", "three")
        run = await runs.ended(folder)
    assert run.outcome is Outcome.COMPLETE
    assert files(project, folder)["a.txt"] == "1\n2\n3\nfour\nfive\nsix\n7\n"
    assert [entry.remarks for entry in ledger(run)] == [(), (), (), ()]
    titles = project.lines("log", "--first-parent", "--reverse", "--format=%s", f"bigtask/{folder.id}/main")
    assert titles == ["begin", "one", "two", "aside", "three"]


@pytest.mark.parametrize(
    ("rule", "left"), [("first", None), ("last", FIRST)], ids=["deleted stays deleted", "edited comes back"]
)
async def test_one_that_deletes_what_another_edits(
    stage: Stage, project: Project, rule: str, left: str | None
) -> None:
    works = {
        "deletes": asks(write("a.txt", "", "delete"), files=["a.txt"]),
        "edits": asks(write("a.txt", FIRST), files=["a.txt"]),
    }
    runs = Together(stage, works)
    async with runs.carried_out(aggregation={"onConflict": rule}) as folder:
        await runs.comes_in("deletes", "edits")
        run = await runs.ended(folder)
    assert files(project, folder).get("a.txt") == left
    remarks = entry(run, "edits").remarks
    assert any(remark.startswith("in conflict, ") for remark in remarks)
    if left is None:
        assert "claimed but unchanged: a.txt" in remarks


async def test_a_lie_in_output_files_stands_in_the_ledger(stage: Stage, project: Project) -> None:
    works = {
        "liar": asks(write("real.txt", "r\n"), files=["invented.txt", "doc.md"]),
        "honest": asks(write("a.txt", FIRST), files=["a.txt"]),
    }
    runs = Together(stage, works)
    async with runs.carried_out() as folder:
        await runs.comes_in("liar", "honest")
        run = await runs.ended(folder)
    assert entry(run, "liar").files == ("real.txt",)
    assert entry(run, "liar").remarks == (
        "claimed but unchanged: doc.md",
        "claimed but unchanged: invented.txt",
        "changed but not claimed: real.txt",
    )
    assert entry(run, "honest").remarks == ()
    assert view(run).output_files == ("a.txt", "real.txt")


SUM = [sys.executable, "-c", "a, b = (int(open(n).read()) for n in ('x', 'y')); assert a + b < 10, (a, b)"]


async def test_two_that_are_green_alone_and_red_together(stage: Stage) -> None:
    """The second is taken out again and sent back with both names; its next attempt knows why."""
    project = repository(stage.place / "project", {"x": "1\n", "y": "1\n"})
    works = {
        "raises-x": asks(write("x", "8\n"), files=["x"]),
        "raises-y": asks(write("y", "8\n"), files=["y"]),
    }
    check = {"checks": [{"command": SUM}]}
    runs = Together(
        stage,
        works,
        [turn(write("y", "0\n"), answer(output_files=["y"]), task="raises-y", attempt=2)],
        {"raises-x": check},
    )
    async with runs.carried_out(allowed_commands=(tuple(SUM),)) as folder:
        await runs.comes_in("raises-x", "raises-y")
        run = await runs.ended(folder)
    assert run.outcome is Outcome.COMPLETE
    assert files(project, folder) == {"x": "8\n", "y": "0\n"}
    assert states(run, "raises-y") == ["failed", "completed"]
    reason = run.tasks["raises-y"].attempts[0].reason
    assert reason.startswith("the check of raises-x was green before raises-y was merged, and then ")
    assert "AssertionError: (8, 8)" in reason
    told = TranscriptFolder(folder.transcripts).read("raises-y", 2).decode()
    assert "the check of raises-x was green before raises-y was merged" in told
    titles = project.lines("log", "--first-parent", "--reverse", "--format=%s", f"bigtask/{folder.id}/main")
    assert titles == ["begin", "raises-x", "raises-y", "Take raises-y out again", "raises-y"]
    assert is_tidy(project, folder)


async def test_a_task_whose_own_check_is_red_only_with_the_others(stage: Stage) -> None:
    project = repository(stage.place / "project", {"x": "1\n", "y": "1\n"})
    works = {
        "raises-x": asks(write("x", "8\n"), files=["x"]),
        "raises-y": asks(write("y", "8\n"), files=["y"]),
    }
    runs = Together(stage, works, tasks={"raises-y": {"checks": [{"command": SUM}]}})
    config = {"maxRetries": 0}
    async with runs.carried_out(allowed_commands=(tuple(SUM),), config=config) as folder:
        await runs.comes_in("raises-x", "raises-y")
        run = await runs.ended(folder)
    assert run.outcome is Outcome.INCOMPLETE
    assert files(project, folder) == {"x": "8\n", "y": "1\n"}
    assert "is green alone, and together with what was merged meanwhile (raises-x) " in (
        run.tasks["raises-y"].reason
    )


async def test_who_comes_after_a_check_that_was_red_anyway_isn_t_blamed(stage: Stage) -> None:
    """Red with and without it: the machine's fault, or a flaky check's. The merge stays, the ledger tells."""
    project = repository(stage.place / "project", {"x": "1\n", "y": "1\n"})
    once = [sys.executable, "-c", "import os; os.close(os.open('../once', os.O_CREAT | os.O_EXCL))"]
    works = {
        "flaky": asks(write("x", "2\n"), files=["x"]),
        "other": asks(write("y", "2\n"), files=["y"]),
    }
    runs = Together(stage, works, tasks={"flaky": {"checks": [{"command": once}]}})
    async with runs.carried_out(allowed_commands=(tuple(once),)) as folder:
        await runs.comes_in("flaky", "other")
        run = await runs.ended(folder)
    assert run.outcome is Outcome.COMPLETE
    assert files(project, folder) == {"x": "2\n", "y": "2\n"}
    (remark,) = entry(run, "other").remarks
    assert remark.startswith("failed after the merge, and without it too: ")


async def test_documents_are_joined_in_plan_order_whoever_comes_first(stage: Stage, project: Project) -> None:
    def part(name: str) -> list[dict[str, Any]]:
        text = f"\n## {name}\n<<<<<<< not a marker of ours\n"
        return asks(write("doc.md", text, "append"), write("new.md", f"{name}\n"), files=["doc.md", "new.md"])

    runs = Together(stage, {name: part(name) for name in ("intro", "body", "end")})
    async with runs.carried_out(aggregation={"combine": "concatenate"}) as folder:
        await runs.comes_in("end", "intro", "body")
        run = await runs.ended(folder)
    assert run.outcome is Outcome.COMPLETE
    parts = "".join(f"\n## {name}\n<<<<<<< not a marker of ours\n" for name in ("intro", "body", "end"))
    assert files(project, folder)["doc.md"] == "# Title\n" + parts
    assert files(project, folder)["new.md"] == "intro\nbody\nend\n"
    assert [entry.remarks for entry in ledger(run)] == [(), (), ()]
    body = run.tasks["body"].attempts[0].evidence
    assert body is not None
    assert body.joined == ("doc.md", "new.md")
    assert (body.insertions, body.deletions) == (4, 0)


# A merge that is being checked when something happens


@dataclass(frozen=True)
class Gate:
    """A check that is green on a task's own branch, and on the merged whole waits to be told."""

    place: Path

    @property
    def command(self) -> list[str]:
        code = (
            "import os, sys; here = os.getcwd(); "
            "sys.exit(0) if '.main.' not in here or not os.path.exists('second.txt') else None; "
            f"open({str(self.place / 'standing')!r}, 'w').close(); "
            f"sys.exit(int(open({str(self.place / 'told')!r}).read()))"
        )
        return [sys.executable, "-c", code]

    def make(self) -> None:
        os.mkfifo(self.place / "standing")
        os.mkfifo(self.place / "told")

    async def stands(self) -> None:
        """Until a check does."""
        async with asyncio.timeout(30):
            await asyncio.to_thread((self.place / "standing").read_bytes)

    async def tell(self, status: int) -> None:
        async with asyncio.timeout(30):
            await asyncio.to_thread((self.place / "told").write_text, str(status))


def gated(stage: Stage) -> tuple[Together, Gate]:
    gate = Gate(stage.place)
    gate.make()
    works = {
        "first": asks(write("first.txt", "1\n"), files=["first.txt"]),
        "second": asks(write("second.txt", "2\n"), files=["second.txt"]),
    }
    return Together(stage, works, tasks={"first": {"checks": [{"command": gate.command}]}}), gate


@pytest.mark.parametrize("green", [True, False])
async def test_a_holder_that_dies_while_a_merge_is_checked_leaves_the_decision_to_the_next(
    stage: Stage, project: Project, green: bool
) -> None:
    runs, gate = gated(stage)
    allowed = (tuple(gate.command),)
    config = {"maxRetries": 0}
    async with runs.carried_out(allowed_commands=allowed, config=config) as folder:
        await runs.comes_in("first")
        await runs.opens("second")
        await gate.stands()
        assert "second.txt" in files(project, folder)
        assert project.git("for-each-ref", "refs/bigtask/trial")
    async with runs.carried_out(folder=folder):
        await gate.stands()
        await gate.tell(0 if green else 1)
        run = await runs.ended(folder)
    assert states(run, "second") == ["completed" if green else "failed"]
    assert ("second.txt" in files(project, folder)) == green
    titles = project.lines("log", "--first-parent", "--reverse", "--format=%s", f"bigtask/{folder.id}/main")
    assert titles == ["begin", "first", "second", *([] if green else ["Take second out again"])]
    assert is_tidy(project, folder)


async def test_who_is_cancelled_while_its_merge_is_checked_is_taken_out(
    stage: Stage, project: Project
) -> None:
    runs, gate = gated(stage)
    async with runs.carried_out(allowed_commands=(tuple(gate.command),)) as folder:
        await runs.comes_in("first")
        await runs.opens("second")
        await gate.stands()
        await runs.link.ask(CancelTask(task_id="second", by="Ada"))
        await gate.tell(0)
        await runs.ended(folder)
        # Whoever takes the result just now, or after a crash, doesn't get it either.
        merged = await runs.link.merge(by="Ada")
        assert merged["files"] == ["first.txt"]
    async with runs.carried_out(folder=folder):
        async with asyncio.timeout(30):
            # The branch comes first; its worktree follows.
            while not is_tidy(project, folder):
                await runs.link.changes()
    assert "second.txt" not in files(project, folder)


# Without the defences


async def test_without_checks_after_the_merge_two_that_are_red_together_are_merged(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(integration, "commands_of_merge", lambda *_, **__: ())
    with pytest.raises(AssertionError):
        await test_two_that_are_green_alone_and_red_together(stage)


async def test_without_a_look_at_the_state_before_the_wrong_one_is_blamed(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    @asynccontextmanager
    async def empty(*_: Any) -> AsyncIterator[None]:
        (stage.place / "home/runs").mkdir(exist_ok=True)
        for once in stage.place.rglob("once"):
            once.unlink()
        yield

    monkeypatch.setattr(RunWorkspaces, "looking_back", empty)
    with pytest.raises(AssertionError):
        await test_who_comes_after_a_check_that_was_red_anyway_isn_t_blamed(stage)


async def test_without_a_look_for_markers_they_are_merged(
    stage: Stage, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def none(*_: Any, **__: Any) -> tuple[str, ...]:
        return ()

    monkeypatch.setattr(merging_begun, "still_marked", none)
    monkeypatch.setattr("host.stage.PATIENCE_S", 5.0)
    with pytest.raises((AssertionError, TimeoutError)):
        await test_a_person_resolves_it_by_hand(stage, project)
