"""Whatever a repository's settings make git run: plain git runs it, and bigtask doesn't."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from bigtask.approvals import Kind
from bigtask.core.states import Outcome
from bigtask.workspaces import consent, git
from bigtask.workspaces.run_workspaces import RunWorkspaces
from bigtask.workspaces.settings import NEUTRAL, SettingsNotApproved
from bigtask.workspaces.source import examine
from promises.totals import record

from .scene import Canaries, Meddling, Scene, carried_out, plain, whole_life
from .sinks import HARMLESS, HOOKS_PATH, REFUSED, Sink

pytestmark = pytest.mark.integration

SCRIPT = {"tasks": [{"id": "one", "file": "a.txt", "content": "one\n"}, {"id": "two"}]}

CLASH = {
    "tasks": [
        {"id": "one", "file": "a.txt", "content": "one\n"},
        {"id": "two", "file": "a.txt", "content": "two\n"},
    ]
}
"""Two tasks that write the same file: only a merge driver brings them together."""


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


@pytest.fixture
def canaries(tmp_path: Path) -> Canaries:
    (tmp_path / "canaries").mkdir()
    return Canaries(tmp_path / "canaries")


def by_name(sink: Sink) -> str:
    return sink.name


@pytest.mark.parametrize("sink", [*HARMLESS, HOOKS_PATH, *REFUSED], ids=by_name)
def test_the_canary_is_alive(scene: Scene, canaries: Canaries, sink: Sink) -> None:
    sink.place(scene.project, canaries)
    for file in (canaries.place / "ran").iterdir():
        file.unlink()
    sink.fires(scene.project)
    assert canaries.ran() == {sink.name}


@pytest.mark.parametrize("sinks", [HARMLESS, (HOOKS_PATH,)], ids=["all", "hooksPath"])
async def test_a_whole_run_runs_nothing(scene: Scene, canaries: Canaries, sinks: tuple[Sink, ...]) -> None:
    # Those that make further ones fire while they are put there come first.
    for sink in sorted(sinks, key=lambda sink: sink.name != "submodule"):
        sink.place(scene.project, canaries)
    for file in (canaries.place / "ran").iterdir():
        file.unlink()
    agents = Meddling(SCRIPT, {})
    run = await whole_life(scene, agents)
    assert run.outcome is Outcome.COMPLETE, (run.reason, run.waiting)
    ran = canaries.ran()
    record(15, name="ways to make git run a program", unit="ways", count=len(sinks), violations=len(ran))
    assert ran == set()


@pytest.mark.parametrize("sink", REFUSED, ids=by_name)
async def test_what_would_change_contents_is_refused_by_name_until_a_person_allows_it(
    scene: Scene, canaries: Canaries, sink: Sink
) -> None:
    sink.place(scene.project, canaries)
    agents = Meddling(CLASH if sink.name == "merge" else SCRIPT, {})
    with pytest.raises(SettingsNotApproved, match=f"(?i){sink.name}.*bigtask approve") as refused:
        await scene.create(agents)
    ran = canaries.ran()
    record(15, name="ways to make git run a program", unit="ways", count=1, violations=len(ran))
    assert ran == set()
    assert list(scene.desk.home.folders()) == []
    scene.approvals.approve(Kind.GIT, refused.value.path, refused.value.digest)
    folder = await scene.create(agents)
    run = await carried_out(folder, agents)
    assert run.outcome is Outcome.COMPLETE, (run.reason, run.waiting)
    # An included file may name anything: what isn't a filter or a driver isn't run for all that.
    assert canaries.ran() == (set() if "include" in sink.name else {sink.name})


async def test_an_approval_falls_with_a_byte_of_an_included_file(scene: Scene, tmp_path: Path) -> None:
    included, deeper = tmp_path / "included", tmp_path / "deeper"
    included.write_text(f"[include]\n\tpath = {deeper}\n")
    deeper.write_text("[user]\n\tname = A\n")
    scene.project.git("config", "include.path", str(included))
    with pytest.raises(SettingsNotApproved) as refused:
        await examine(scene.project.root)
    assert {program.key for program in refused.value.programs} == {"include.path"}
    scene.approvals.approve(Kind.GIT, refused.value.path, refused.value.digest)
    source = await examine(scene.project.root, scene.approvals.allow_git)
    await source.git.refs("refs/heads/trunk")
    deeper.write_text("[user]\n\tname = B\n")
    with pytest.raises(SettingsNotApproved):
        await source.git.refs("refs/heads/trunk")
    with pytest.raises(SettingsNotApproved):
        await examine(scene.project.root, scene.approvals.allow_git)


async def test_a_filter_that_appears_during_a_run_is_refused_before_it_runs(
    scene: Scene, canaries: Canaries
) -> None:
    scene.project.git("branch", "side")
    source = await examine(scene.project.root)
    (scene.place / "run").mkdir()
    run = RunWorkspaces("r1", source, scene.place / "run")
    await run.prepare()
    work = await run.acquire("one", 1)
    (work.path / "a.txt").write_text("edited\n")
    REFUSED[0].place(scene.project, canaries)
    for step in (
        run.commit("one", 1, "m"),
        run.merge("one", 1, "t"),
        run.acquire("two", 1),
        run.release("one", 1),
        run.result(),
        run.diff(),
        run.apply_result(),
        run.leftovers(),
        run.give_up(),
    ):
        with pytest.raises(SettingsNotApproved, match=r"filter\.evil\.clean"):
            await step
    assert canaries.ran() == set()
    scene.project.git("config", "--remove-section", "filter.evil")
    assert (await run.commit("one", 1, "m")).files[0].path == "a.txt"


async def test_git_is_never_found_in_the_project(
    scene: Scene, canaries: Canaries, monkeypatch: pytest.MonkeyPatch
) -> None:
    import os

    (scene.project.root / "git").symlink_to(canaries.program("git"))
    monkeypatch.chdir(scene.project.root)
    monkeypatch.setenv("PATH", f".::{os.environ['PATH']}")
    await examine(scene.project.root)
    assert canaries.ran() == set()


async def test_a_folder_that_looks_like_a_repository_is_none(scene: Scene, canaries: Canaries) -> None:
    embedded = scene.project.root / "lib/embedded"
    plain(scene.project.root, "init", "-q", "--bare", str(embedded))
    plain(embedded, "config", "core.bare", "false")
    plain(embedded, "config", "core.worktree", "..")
    plain(embedded, "config", "core.fsmonitor", canaries.program("embedded"))
    with pytest.raises(Exception, match="bare repository without files, or inside"):
        await examine(embedded)
    assert canaries.ran() == set()


def _without(setting: str) -> tuple[str, ...]:
    return tuple(each for each in NEUTRAL if not each.startswith(setting + "="))


async def _no_look(_: object, __: Path) -> None:
    pass


async def _nothing_found(_: Path) -> consent.Listing:
    return consent.Listing(programs=frozenset(), by_worktree=False)


MUTANTS: dict[str, tuple[str, Callable[[pytest.MonkeyPatch], None]]] = {
    "hooks stay": ("hooks", lambda patch: patch.setattr(git, "NEUTRAL", _without("core.hooksPath"))),
    "the monitor stays": (
        "fsmonitor",
        lambda patch: patch.setattr(git, "NEUTRAL", _without("core.fsmonitor")),
    ),
    "submodules are looked into": ("submodule", lambda patch: patch.setattr(git, "_ALWAYS", {})),
    "filters aren't looked for": ("clean", lambda patch: _blind(patch)),
    "smudging isn't looked for": ("smudge", lambda patch: _blind(patch)),
    "merge drivers aren't looked for": ("merge", lambda patch: _blind(patch)),
}


def _blind(patch: pytest.MonkeyPatch) -> None:
    patch.setattr("bigtask.workspaces.source.listing", _nothing_found)
    patch.setattr(consent.Consent, "require", _no_look)


@pytest.mark.parametrize("mutant", MUTANTS)
async def test_with_the_defence_taken_out_it_runs(
    scene: Scene, canaries: Canaries, mutant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, take_out = MUTANTS[mutant]
    sink = next(sink for sink in (*HARMLESS, *REFUSED) if sink.name == name)
    sink.place(scene.project, canaries)
    for file in (canaries.place / "ran").iterdir():
        file.unlink()
    take_out(monkeypatch)
    agents = Meddling(CLASH, {})
    folder = await scene.create(agents, parallelExecution=True)
    await carried_out(folder, agents)
    assert name in canaries.ran()


async def test_without_any_of_three_the_missing_object_is_fetched(
    scene: Scene, canaries: Canaries, monkeypatch: pytest.MonkeyPatch
) -> None:
    sink = next(sink for sink in HARMLESS if sink.name == "promisor")
    sink.place(scene.project, canaries)
    source = await examine(scene.project.root)
    missing = "1" * 40
    assert await source.git.commit(missing) is None
    assert canaries.ran() == set()
    open_env = {
        key: value
        for key, value in git._ENV.items()
        if key not in ("GIT_ALLOW_PROTOCOL", "GIT_NO_LAZY_FETCH")
    }
    monkeypatch.setattr(git, "_ENV", open_env)
    monkeypatch.setattr(git, "NEUTRAL", _without("protocol.allow"))
    await replace(source.git, guard=None).commit(missing)
    assert canaries.ran() == {"promisor"}
