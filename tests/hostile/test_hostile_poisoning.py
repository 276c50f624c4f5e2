"""An agent that changes what governs git for everybody: it is noticed, and its work held back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from bigtask.core.commands import Answer, Start
from bigtask.core.evolve import fold
from bigtask.core.ledger import ledger
from bigtask.core.run import Run
from bigtask.core.states import AttemptState, Outcome, WaitingKind
from bigtask.host import vigil
from bigtask.host.access import hold, read
from bigtask.host.home import RunFolder
from bigtask.workspaces.integrity import Changes
from promises.totals import record

from .scene import Canaries, Meddling, Scene, carried_out, plain, until

pytestmark = pytest.mark.integration

SCRIPT = {
    "tasks": [
        {"id": "first"},
        {"id": "bad", "dependencies": ["first"], "file": "bad.txt", "content": "its work\n"},
    ]
}

Poison = Callable[[Path, Canaries], None]


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


@pytest.fixture
def canaries(tmp_path: Path) -> Canaries:
    (tmp_path / "canaries").mkdir()
    return Canaries(tmp_path / "canaries")


def common_dir(at: Path) -> Path:
    return Path(plain(at, "rev-parse", "--path-format=absolute", "--git-common-dir").strip())


def git_dir(at: Path) -> Path:
    return Path(plain(at, "rev-parse", "--path-format=absolute", "--git-dir").strip())


def run_of(at: Path) -> str:
    return at.name.partition(".")[0]


def _write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def _hook(at: Path, canaries: Canaries) -> None:
    hook = common_dir(at) / "hooks/reference-transaction"
    hook.parent.mkdir(exist_ok=True)
    hook.symlink_to(canaries.program("hook"))


def _git_file(at: Path, canaries: Canaries) -> None:
    evil = canaries.place / "evil.git"
    plain(canaries.place, "init", "-q", "--bare", str(evil))
    plain(evil, "config", "core.fsmonitor", canaries.program("git file"))
    (at / ".git").write_text(f"gitdir: {evil}\n")


def _common_dir(at: Path, canaries: Canaries) -> None:
    evil = canaries.place / "evil"
    plain(canaries.place, "clone", "-q", str(common_dir(at)), str(evil))
    plain(evil, "config", "core.fsmonitor", canaries.program("commondir"))
    (git_dir(at) / "commondir").write_text(f"{evil / '.git'}\n")


def _filter(at: Path, canaries: Canaries) -> None:
    plain(at, "config", "filter.evil.clean", canaries.program("filter"))
    _write(at / ".gitattributes", "* filter=evil\n")


def _include(at: Path, canaries: Canaries) -> None:
    settings = canaries.place / "settings"
    settings.write_text(f'[filter "evil"]\n\tclean = "{canaries.program("include")}"\n')
    plain(at, "config", "include.path", str(settings))
    _write(at / ".gitattributes", "* filter=evil\n")


def _hooks_folder(at: Path, canaries: Canaries) -> None:
    hooks = common_dir(at) / "hooks"
    if hooks.exists():
        hooks.rename(canaries.place / "old hooks")
    (canaries.place / "hooks").mkdir()
    (canaries.place / "hooks/post-checkout").symlink_to(canaries.program("hooks"))
    hooks.symlink_to(canaries.place / "hooks")


POISONS: dict[str, tuple[Poison, str]] = {
    "fsmonitor": (
        lambda at, canaries: plain(at, "config", "core.fsmonitor", canaries.program("fsmonitor")) and None,
        "the setting core.fsmonitor",
    ),
    "hooksPath": (
        lambda at, canaries: plain(at, "config", "core.hooksPath", str(canaries.place)) and None,
        "the setting core.hookspath",
    ),
    "another address": (
        lambda at, _: plain(at, "config", "url.https://me:secret@x.invalid/.insteadOf", "https://") and None,
        "the setting url.….insteadof",
    ),
    "hook": (_hook, "the hook reference-transaction"),
    "hooks elsewhere": (_hooks_folder, "the folder of hooks"),
    "filter": (_filter, "the setting filter.evil.clean"),
    "include": (_include, "the setting include.path"),
    "git file": (_git_file, "the .git file of its workspace"),
    "commondir": (_common_dir, "commondir of its workspace"),
    "attributes": (
        lambda at, _: _write(common_dir(at) / "info/attributes", "* merge=evil\n"),
        ".git/info/attributes",
    ),
    "alternates": (
        lambda at, canaries: _write(common_dir(at) / "objects/info/alternates", f"{canaries.place}\n"),
        ".git/objects/info/alternates",
    ),
    "another's branch": (
        lambda at, _: (
            plain(
                at, "update-ref", f"refs/heads/bigtask/{run_of(at)}/first/1", f"bigtask/{run_of(at)}/main~1"
            )
            and None
        ),
        "/first/1 (lost commits)",
    ),
    "another's start": (
        lambda at, _: plain(at, "update-ref", "-d", f"refs/bigtask/start/{run_of(at)}/first/1") and None,
        "/first/1 (is gone)",
    ),
    "broken settings": (
        lambda at, _: _write(common_dir(at) / "config", "[core\n"),
        "the settings, which git can't read any more",
    ),
}


@pytest.mark.parametrize("poison", POISONS)
async def test_what_an_agent_poisons_is_caught_and_its_work_is_held_back(
    scene: Scene, canaries: Canaries, poison: str
) -> None:
    meddle, named = POISONS[poison]
    agents = Meddling(SCRIPT, {"bad": lambda at: meddle(at, canaries)})
    folder = await scene.create(agents)
    run = await carried_out(folder, agents)
    caught = states(run, "bad") == [AttemptState.QUARANTINED]
    record(15, name="poisonings of shared settings, hooks and branches", unit="poisonings", count=1,
           violations=int(not caught or bool(canaries.ran())))  # fmt: skip
    assert caught
    assert states(run, "first") == [AttemptState.COMPLETED]
    assert canaries.ran() == set()
    (waiting,) = run.waiting.values()
    assert (waiting.kind, waiting.options) == (WaitingKind.TRUST, ("accept", "retry", "skip"))
    assert named in waiting.question
    assert "secret" not in waiting.question
    (entry,) = [entry for entry in ledger(run) if entry.task_id == "bad"]
    assert any(named in remark for remark in entry.remarks)
    work = folder.path / "workspaces" / f"{run.id}.bad.1"
    assert (work / "bad.txt").read_text() == "its work\n"


async def test_a_person_who_has_put_it_right_may_take_the_work(scene: Scene, canaries: Canaries) -> None:
    agents = Meddling(SCRIPT, {"bad": lambda at: _filter(at, canaries)})
    folder = await scene.create(agents)
    run = await carried_out(folder, agents)
    (waiting,) = run.waiting.values()
    scene.project.git("config", "--remove-section", "filter.evil")
    run = await answered(folder, agents, Answer(waiting_id=waiting.id, answer="accept"))
    assert run.outcome is Outcome.COMPLETE
    assert states(run, "bad") == [AttemptState.COMPLETED]
    assert scene.project.git("show", f"bigtask/{run.id}/main:bad.txt") == "its work"
    assert canaries.ran() == set()
    (entry,) = [entry for entry in ledger(run) if entry.task_id == "bad"]
    assert any("filter.evil.clean changed in the repository" in remark for remark in entry.remarks)


async def test_it_may_be_tried_again_or_left_out(scene: Scene, canaries: Canaries) -> None:
    tries = []

    def once(at: Path) -> None:
        if not tries:
            tries.append(at)
            _hook(at, canaries)

    agents = Meddling(SCRIPT, {"bad": once})
    folder = await scene.create(agents)
    run = await carried_out(folder, agents)
    (waiting,) = run.waiting.values()
    run = await answered(folder, agents, Answer(waiting_id=waiting.id, answer="retry"))
    assert run.outcome is Outcome.COMPLETE
    assert states(run, "bad") == [AttemptState.SUPERSEDED, AttemptState.COMPLETED]
    assert canaries.ran() == set()


async def test_what_a_failing_attempt_poisons_is_caught_too(scene: Scene, canaries: Canaries) -> None:
    fails = {"when": {"task": "bad"}, "steps": [{"do": "end", "reason": "error", "detail": "no"}]}
    agents = Meddling({**SCRIPT, "turns": [fails]}, {"bad": lambda at: _hook(at, canaries)})
    run = await carried_out(await scene.create(agents), agents)
    assert states(run, "bad") == [AttemptState.QUARANTINED]
    (waiting,) = run.waiting.values()
    assert waiting.options == ("retry", "skip")


async def test_what_a_person_does_meanwhile_holds_nobody_back(scene: Scene) -> None:
    """Committing, amending, making branches that follow others, and deleting one."""
    project = scene.project
    project.git("branch", "old")

    def meanwhile(_: Path) -> None:
        for arguments in (
            ("commit", "-q", "--allow-empty", "-m", "mine"),
            ("commit", "-q", "--allow-empty", "--amend", "-m", "mine, amended"),
            ("checkout", "-q", "-b", "new", "--track", "trunk"),
            ("branch", "-q", "-D", "old"),
            ("stash", "list"),
            ("gc", "-q"),
        ):
            project.git(*arguments)

    agents = Meddling(SCRIPT, {"bad": meanwhile})
    run = await carried_out(await scene.create(agents), agents)
    assert run.outcome is Outcome.COMPLETE
    assert states(run, "bad") == [AttemptState.COMPLETED]
    (entry,) = [entry for entry in ledger(run) if entry.task_id == "bad"]
    assert any("refs/heads/old (is gone: it was" in remark for remark in entry.remarks)


async def test_without_the_picture_nothing_is_noticed(
    scene: Scene, canaries: Canaries, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def nothing(*_: object) -> Changes:
        return Changes()

    monkeypatch.setattr(vigil.Vigil, "_changes", nothing)
    agents = Meddling(SCRIPT, {"bad": lambda at: _hook(at, canaries)})
    run = await carried_out(await scene.create(agents), agents)
    assert states(run, "bad") == [AttemptState.COMPLETED]


def states(run: Run, task_id: str) -> list[AttemptState]:
    return [attempt.state for attempt in run.tasks[task_id].attempts]


async def answered(folder: RunFolder, agents: Meddling, answer: Answer) -> Run:
    async with hold(folder, agents, who="a test") as link:
        seq = await link.ask(answer)
        await link.ask(Start())
        await until(link, after=seq)
    return fold(folder.id, await read(folder))
