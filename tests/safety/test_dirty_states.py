"""Whatever state a repository and its workspaces are in, and however an attempt ends: nothing is lost, and
the person's branch, index and files stay as they are until `merge`, which does what it said or nothing."""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bigtask.errors import Conflict, InvalidInput
from bigtask.host.faults import VARIABLE
from bigtask.workspaces import applying, merging_begun, moving, worktree
from bigtask.workspaces.moving import Outlook
from bigtask.workspaces.run_workspaces import RunWorkspaces
from bigtask.workspaces.values import Merged
from nursery import Nursery
from projects import ENV
from promises.scale import SEED, seconds, share
from promises.totals import record

from . import states
from .child import NAME, opened
from .states import Tree

BUDGET_S = 240
"""For all of it in an ordinary run, by two processes."""

STATES = share(200)
PIECES = 4
pytestmark = [pytest.mark.integration, pytest.mark.timeout(seconds(BUDGET_S))]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return states.base(tmp_path_factory.mktemp("base"))


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    with Nursery(NAME, ENV) as found:
        yield found


class Scene:
    """One state of a person's repository, with a run in it."""

    def __init__(self, person: Tree, place: Path, rng: random.Random) -> None:
        self.rng = rng
        self.place = place
        self.person = person
        self.home = place / "home/r1"
        self.cwd = person.root
        self.work = Path()
        self.deeds: list[str] = []

    async def begin(self) -> RunWorkspaces:
        inside = [at for at in (".", "lib", "bin") if (self.person.root / at).is_dir()]
        self.cwd = self.person.root / self.rng.choice(inside)
        run = await opened(self.cwd, self.home)
        try:
            await run.prepare(include_changes=self.rng.random() < 0.4)
        except InvalidInput:  # repositories in it that can't be taken along
            await run.prepare()
        return run

    async def acquired(self, run: RunWorkspaces) -> Path:
        workspace = await run.acquire("one", 1)
        self.work = self.home / "workspaces/r1.one.1"
        assert self.work in (workspace.path, *workspace.path.parents)
        return self.work

    def dirty(self) -> set[bytes]:
        """What an agent leaves in its workspace: all that has to be found again."""
        tree = Tree(self.work, self.rng)
        tree.leave(states.drawn(self.rng))
        self.deeds = tree.done
        for line in tree.git("ls-files", "--stage", "-z").split("\0"):
            if line and not line.startswith("160000"):
                self.staged.add(line.split(" ")[1])
        kept = [
            self.person.git("stash", "list", "--format=%H", at=self.work),
            *(file.read_text().strip() for file in self._record.glob("rebase-*/autostash")),
        ]
        self.commits = {word for words in kept for word in words.split()}
        return states.contents(self.work, [self._record / "modules"])

    staged: set[str]
    commits: set[str]

    @property
    def _record(self) -> Path:
        return self.person.root / ".git/worktrees/r1.one.1"

    def found(self) -> set[bytes]:
        module = self.person.root / ".git/modules/sub"
        inside = states.reachable(module) if module.exists() else set()
        return states.reachable(self.person.root) | inside | states.contents(self.home / "trash")

    def lost(self, must: set[bytes]) -> list[bytes]:
        return sorted(states.plain(must) - states.plain(self.found()))

    def lost_commits(self) -> set[str]:
        reach = set(self.person.git("rev-list", "--all").split())
        logs = self.person.git("reflog", "show", "--format=%H", "refs/stash").split()
        return self.commits - reach - set(logs)


async def settle(scene: Scene, ending: str, nursery: Nursery) -> None:
    """The attempt, and all that is left of the run, come to an end in this way."""
    run = await opened(scene.cwd, scene.home)
    if ending == "clean":
        await run.give_up()
        return
    if ending == "timeout":
        # The next attempt begins while the last one is given up.
        await run.prepare()
        await run.release("one", 1)
        await run.acquire("one", 2)
        await run.release("one", 2)
        return
    if ending == "crash":
        point = f"{scene.rng.choice(['before', 'after'])} any {scene.rng.randint(1, 30)}"
        argv = [str(scene.cwd), str(scene.home), "release"]
        born = nursery.start(argv, {**ENV, "HOME": str(scene.place), VARIABLE: point})
        try:
            assert born.wait() in (0, -9), os.read(born.stderr, 65_536).decode()
        finally:
            born.close()
        run = await opened(scene.cwd, scene.home)
        await run.prepare()
        if scene.rng.random() < 0.5:
            await run.acquire("one", 1)
    await run.release("one", 1)


@pytest.mark.parametrize("piece", range(PIECES))
@pytest.mark.parametrize("ending", ["cancel", "timeout", "crash", "clean"])
async def test_every_byte_that_an_attempt_leaves_is_found_again(
    root: Path, nursery: Nursery, tmp_path: Path, ending: str, piece: int
) -> None:
    done = 0
    for number in range(piece, STATES, PIECES):
        place = tmp_path / str(number)
        place.mkdir()
        rng = random.Random(f"{SEED} {number} {ending}")
        scene = Scene(states.person(root, place / "project", rng), place, rng)
        run = await scene.begin()
        before = (states.files(scene.person.root), states.records(scene.person.root))
        await scene.acquired(run)
        scene.staged = set()
        stash = (scene.person.root / ".git/refs/stash").exists()
        must = scene.dirty()
        shared = "stashed" in scene.deeds or any(deed in states.WHOLE for deed in scene.deeds)
        told = f"{number} {ending}: {scene.person.done} / {scene.deeds}"
        await settle(scene, ending, nursery)
        assert not scene.work.exists(), told
        assert scene.lost(must) == [], told
        assert scene.lost_commits() == set(), told
        now = (states.files(scene.person.root), states.records(scene.person.root))
        assert now[0] == before[0], told
        differs = {name for name in {*now[1], *before[1]} if now[1].get(name) != before[1].get(name)}
        assert {name for name in differs if not _by_agent(name, shared or stash)} == set(), told
        shutil.rmtree(place)
        done += 1
    record(12, name=f"states of a workspace, {ending}", unit="states", count=done, violations=0)


def _by_agent(name: str, shared: bool) -> bool:
    """What an agent's own git has done to what all worktrees of a repository share."""
    ours = name.startswith(
        ("refs/heads/b", "refs/heads/orphan", "logs/refs/heads/b", "logs/refs/heads/orphan")
    )
    config = name in ("config", "packed-refs", "FETCH_HEAD") or name.startswith("modules/")
    return ours or config or name == "config.worktree" or (shared and "stash" in name)


@pytest.mark.parametrize("piece", range(PIECES))
async def test_merge_does_what_it_said_or_nothing(root: Path, tmp_path: Path, piece: int) -> None:
    done = 0
    merged = 0
    for number in range(piece, STATES, PIECES):
        place = tmp_path / str(number)
        place.mkdir()
        rng = random.Random(f"{SEED} {number} merge")
        calm = number // PIECES % 4 != 0
        scene = Scene(states.person(root, place / "project", rng, calm=calm), place, rng)
        merged += await _merge(scene, number)
        shutil.rmtree(place)
        done += 1
    record(
        12,
        name="states of a repository, merge and its undoing",
        unit="states",
        count=done,
        violations=0,
        merged=merged,
    )
    assert 0 < merged < done


async def _merge(scene: Scene, number: int) -> bool:
    run = await scene.begin()
    await scene.acquired(run)
    agent = Tree(scene.work, scene.rng)
    agent.leave(
        scene.rng.sample(
            ["edited", "untracked", "removed", "renamed", "link", "odd names", "committed", "line ends"], 2
        )
    )
    if scene.rng.random() < 0.3:
        agent.put("lib/deep/c.txt")
    if scene.rng.random() < 0.3:
        agent.put("lib/b.txt")
    at = scene.person.root
    told = f"{number}: {scene.person.done} / {agent.done} at {scene.cwd.relative_to(at)}"
    before, kept = states.files(at), states.records(at)
    await run.commit("one", 1, "what was done\n")
    assert isinstance(await run.merge("one", 1, "Do one"), Merged), told
    assert (states.files(at), states.records(at)) == (before, kept), told
    seen = states.records(at, index=False)
    head, old = (
        scene.person.git("symbolic-ref", "-q", "HEAD"),
        scene.person.git("rev-parse", "-q", "--verify", "HEAD").strip(),
    )
    result = await run.result()
    try:
        await run.apply_result()
    except Conflict:
        assert (states.files(at), states.records(at, index=False)) == (before, seen), told
        assert not (scene.home / "applied.json").exists(), told
        return False
    new = scene.person.git("rev-parse", "HEAD").strip()
    assert scene.person.git("symbolic-ref", "-q", "HEAD") == head, told
    listed = scene.person.git("diff-tree", "-r", "--no-renames", "-z", "--name-only", old or EMPTY, new)
    changed = set(listed.split("\0")) - {""}
    # What the run began with may hold what wasn't committed.
    ran = scene.person.git("diff-tree", "-r", "--no-renames", "-z", "--name-only", old or EMPTY, result.head)
    assert changed <= set(ran.split("\0")), told
    after = states.files(at)
    touched = {name for name in {*before, *after} if before.get(name) != after.get(name)}
    touched = {name for name in touched if "an empty folder" not in (before.get(name), after.get(name))}
    assert touched <= changed, told
    was, now = (_by_path(said) for said in (seen["said of the index"], states.said_of_index(at)))
    assert {path: line for path, line in was.items() if path not in changed} == {
        path: line for path, line in now.items() if path not in changed
    }, told
    written = {
        path: line
        for path, line in _by_path(scene.person.git("ls-tree", "-r", "-z", new)).items()
        if path in changed
    }
    assert {path: line.split()[-2] for path, line in now.items() if path in changed} == {
        path: line.split()[-1] for path, line in written.items()
    }, told
    status = scene.person.git("status", "--porcelain", "-z", "--no-renames", "--untracked-files=no")
    assert not {entry[3:] for entry in status.split("\0")} & changed, told
    for path in changed & set(before):
        mode = before[path].split()[0]
        if path in after and mode.startswith("100") and after[path].startswith("100"):
            assert int(mode, 8) & 0o66 == int(after[path].split()[0], 8) & 0o66, told
    await run.undo_apply()
    gone = {name for name, said in before.items() if said == "an empty folder"}
    # Git writes the line ends that it is set to write.
    again, then = (
        {name: said.replace("\\r\\n", "\\n") for name, said in found.items() if name not in gone}
        for found in (states.files(at), before)
    )
    assert again == then, told
    last = states.records(at, index=False)
    # Git looks again at a file that was exchanged, whatever it had been told before.
    said = [_by_path(found.pop("said of the index")) for found in (seen, last)]
    for path in changed:
        for found in said:
            if path in found:
                found[path] = found[path].split(" ", 1)[1]
    assert said[0] == said[1], told
    moved = {name for name in {*last, *seen} if last.get(name) != seen.get(name)}
    assert all(name.startswith("logs/") or name == "ORIG_HEAD" for name in moved), (moved, told)
    return True


def clean_scene(root: Path, place: Path) -> Scene:
    rng = random.Random(5)
    return Scene(states.clean(root, place / "project", rng), place, rng)


# Without the defences


async def kept_nothing(*_: object, **__: object) -> None:
    return None


def kept_no_modules(source: object, target: object) -> None:
    shutil.rmtree(str(source))


@pytest.mark.parametrize(
    ("owner", "name", "mutant", "deed"),
    [
        (worktree.Worktree, "_keep", kept_nothing, "edited"),
        (worktree.Worktree, "_keep", kept_nothing, "merging"),
        (worktree, "reveal", kept_nothing, "assumed unchanged"),
        (worktree, "reveal", kept_nothing, "skipped"),
        (worktree.shutil, "move", kept_no_modules, "in a submodule"),
        (worktree.Worktree, "_discard", lambda *_: None, "ignored"),
    ],
    ids=["rescue", "rescue of a merge", "assumed unchanged", "skipped", "submodule", "trash"],
)
async def test_a_workspace_that_goes_without_being_rescued_is_noticed(
    root: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    owner: object,
    name: str,
    mutant: object,
    deed: str,
) -> None:
    scene = clean_scene(root, tmp_path)
    run = await scene.begin()
    await scene.acquired(run)
    tree = Tree(scene.work, scene.rng)
    tree.leave([deed, "edited"] if deed == "merging" else [deed])
    must = states.contents(scene.work, [scene.person.root / ".git/worktrees/r1.one.1/modules"])
    monkeypatch.setattr(owner, name, mutant)
    await run.release("one", 1)
    assert scene.lost(must)


@pytest.mark.parametrize("looks", [True, False])
async def test_what_is_hidden_in_a_merge_that_was_begun_is_found_again(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, looks: bool
) -> None:
    scene = clean_scene(root, tmp_path)
    run = await scene.begin()
    for task in ("two", "one"):
        await run.acquire(task, 1)
        work = Tree(scene.home / f"workspaces/r1.{task}.1", scene.rng)
        work.put("a.txt")
        work.put(f"{task}.txt")
        await run.commit(task, 1, "what was done\n")
        await run.merge(task, 1, f"Do {task}")
    await run.begin_merge("one", 1)
    work.git("update-index", "--assume-unchanged", "two.txt")
    work.put("two.txt")
    must = states.contents(work.root)
    if not looks:
        monkeypatch.setattr(merging_begun, "reveal", kept_nothing)
        monkeypatch.setattr(worktree, "reveal", kept_nothing)
    await run.release("one", 1)
    assert bool(scene.lost(must)) is not looks


@pytest.mark.parametrize("path", ["new0/file", "x.log", "lib/b.txt"])
async def test_a_merge_that_does_not_look_first_is_noticed(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    scene = clean_scene(root, tmp_path)
    person = Tree(scene.person.root, scene.rng)
    run = await opened(person.root, scene.home)
    await run.prepare()
    await scene.acquired(run)
    Tree(scene.work, scene.rng).put(path)
    Tree(scene.work, scene.rng).git("add", "-f", "--", path)
    await run.commit("one", 1, "what was done\n")
    await run.merge("one", 1, "Do one")
    if path == "lib/b.txt":
        person.git("update-index", "--assume-unchanged", path)
    person.put(path)
    before = states.files(person.root)
    with pytest.raises(Conflict, match=path):
        await run.apply_result()
    assert states.files(person.root) == before

    async def blind(*of: Any, **more: Any) -> Outlook:
        seen = await moving.look_ahead(*of, **more)
        return replace(seen, blocked=(), written=seen.changes, moved=())

    monkeypatch.setattr(applying, "look_ahead", blind)
    await run.apply_result()
    assert states.files(person.root)[path] != before[path]


async def test_what_was_there_before_is_still_there_when_the_merge_is_undone(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that git didn't know came into the result by --include-changes; it is the person's."""
    scene = clean_scene(root, tmp_path)
    person = Tree(scene.person.root, scene.rng)
    person.put("mine")
    run = await opened(person.root, scene.home)
    await run.prepare(include_changes=True)
    Tree(await scene.acquired(run), scene.rng).put("other.txt")
    await run.commit("one", 1, "what was done\n")
    await run.merge("one", 1, "Do one")
    await run.apply_result()
    assert person.git("ls-files", "mine") == "mine\n"
    await run.undo_apply()
    assert (person.root / "mine").exists()
    assert person.git("ls-files", "mine") == ""
    await run.apply_result()
    monkeypatch.setattr(applying, "look_ahead", lambda *of, keep=(), **more: moving.look_ahead(*of, **more))
    await run.undo_apply()
    assert not (person.root / "mine").exists()


EMPTY = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"


def _by_path(said: str) -> dict[str, str]:
    found = {}
    for line in said.split("\0"):
        about, _, path = line.partition("\t")
        if path:
            found[path] = about
    return found
