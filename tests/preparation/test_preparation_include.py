from __future__ import annotations

import os
from pathlib import Path

import pytest

from bigtask.core.states import Outcome
from bigtask.errors import InvalidInput
from bigtask.host.access import hold, read_run
from bigtask.workspaces import including, prepared
from bigtask.workspaces.including import chosen, copy, rules_in, rules_of
from bigtask.workspaces.run_workspaces import RunWorkspaces
from bigtask.workspaces.source import examine
from bigtask.workspaces.worktree import Worktree
from projects import Project, repository

from .scene import Scene, answered, until

pytestmark = pytest.mark.integration

ONE = {"tasks": [{"id": "one"}]}
FILES = {
    ".env": "SECRET=1\n",
    ".env.test": "T=1\n",
    "sub/.env": "S=1\n",
    "sub/deep/.env.test": "D=1\n",
    "local/a/b": "b\n",
    "untracked.txt": "not ignored\n",
}


def ordinary(place: Path) -> Project:
    project = repository(
        place / "project", {"a.txt": "a\n", "sub/b.txt": "b\n", ".gitignore": ".env*\nlocal/\n"}
    )
    for path, text in FILES.items():
        (project.root / path).parent.mkdir(parents=True, exist_ok=True)
        (project.root / path).write_text(text)
    return project


async def workspaces_of(project: Project, place: Path, *, below: str = "") -> RunWorkspaces:
    home = place / "run"
    home.mkdir(exist_ok=True)
    made = RunWorkspaces("r1", await examine(project.root / below), home)
    await made.prepare()
    return made


@pytest.mark.parametrize(
    ("lines", "below", "wanted"),
    [
        ([".env"], "", [".env", "sub/.env"]),
        (["/.env"], "", [".env"]),
        ([".env"], "sub", ["sub/.env"]),
        (["/.env", "deep/*"], "sub", ["sub/.env", "sub/deep/.env.test"]),
        (["# all but one", "", ".env*", "!.env.test  "], "", [".env", "sub/.env"]),
        (["local/"], "", ["local/a/b"]),
        (["untracked.txt", "a.txt"], "", []),
        (["../.env", "/../.env"], "sub", []),
        (["!", "/", "//"], "sub", []),
        (["--upload-pack=touch x", "-x"], "", []),
    ],
)
async def test_the_lines_mean_what_they_mean_in_a_gitignore(tmp_path, lines, below, wanted):
    workspaces = await workspaces_of(ordinary(tmp_path), tmp_path)
    found = await chosen(workspaces._run.files, rules_of(lines, below=below, place="here"))
    assert list(found) == wanted


async def test_a_folder_whose_name_is_a_pattern_stands_for_itself(tmp_path):
    project = repository(tmp_path / "project", {"[a]*/x": "x", "ab/x": "x", ".gitignore": ".env\n"})
    for folder in ("[a]*", "ab"):
        (project.root / folder / ".env").write_text("1\n")
    workspaces = await workspaces_of(project, tmp_path)
    assert await chosen(workspaces._run.files, rules_of([".env"], below="[a]*", place="x")) == ("[a]*/.env",)


def test_the_project_s_own_file_is_taken_where_the_run_works_or_at_the_top(tmp_path):
    (tmp_path / "sub").mkdir()
    assert rules_in(tmp_path, "sub").patterns == ()
    (tmp_path / ".worktreeinclude").write_text(".env\n")
    assert rules_in(tmp_path, "sub").patterns == (".env",)
    (tmp_path / "sub" / ".worktreeinclude").write_text(".env\r\n")
    assert rules_in(tmp_path, "sub").patterns == ("/sub/**/.env",)


def _a_link(path: Path) -> None:
    path.symlink_to("/etc/passwd")


@pytest.mark.parametrize(
    "make",
    [
        _a_link,
        Path.mkdir,
        lambda path: os.mkfifo(path),
        lambda path: path.write_text("x" * 70_000),
        lambda path: path.write_text("x\n" * 1_001),
    ],
)
def test_a_file_of_rules_that_cannot_be_used_is_refused_with_a_sentence(tmp_path, make):
    make(tmp_path / ".worktreeinclude")
    with pytest.raises(InvalidInput, match=r"worktreeinclude .*: |name folders"):
        rules_in(tmp_path, "")


async def test_a_run_s_workers_find_the_files_and_nothing_of_them_is_committed(tmp_path):
    scene = Scene(
        tmp_path,
        {
            "tasks": [{"id": "one"}],
            "turns": [
                {
                    "when": {"task": "one"},
                    "steps": [
                        # What git ignores is no rule that an agent couldn't change.
                        {"do": "write", "path": ".gitignore", "content": "!.env\n"},
                        {"do": "write", "path": "one.txt", "content": "1\n"},
                        {"do": "answer"},
                    ],
                }
            ],
        },
    )
    project = scene.project()
    (project.root / ".env").write_text("SECRET=1\n")
    os.chmod(project.root / ".env", 0o640)
    (project.root / ".worktreeinclude").write_text(".env\n")
    before = project.seen()
    seen = f'cat .env > "{tmp_path}/found"; stat -c %a .env >> "{tmp_path}/found"'
    folder = await scene.create(project, setup=seen, include_changes=False)
    run = await scene.carried_out(folder)
    assert run.outcome is Outcome.COMPLETE
    assert scene.left("found") == ["SECRET=1", "640"]
    assert project.lines("ls-tree", "-r", "--name-only", f"bigtask/{folder.id}/main") == [
        ".gitignore",
        "a.txt",
        "one.txt",
    ]
    assert project.seen() == before


@pytest.mark.parametrize("how", ["left", "staged", "committed", "elsewhere", "detached"])
@pytest.mark.parametrize("ended", ["reported", "killed"])
async def test_private_files_are_never_recorded_whatever_the_agent_does(tmp_path, how, ended):
    project = ordinary(tmp_path)
    workspaces = await workspaces_of(project, tmp_path)
    workspace = await workspaces.acquire("one", 1)
    rules = rules_of([".env*", "local/"], below="", place="x")
    assert await workspaces.include("one", 1, rules) == ()
    at = Project(workspace.path)
    assert (at.root / "local/a/b").read_text() == "b\n"
    (at.root / "work.txt").write_text("work\n")
    (at.root / ".gitignore").write_text("")
    if how == "elsewhere":
        at.git("switch", "-q", "-c", "elsewhere")
    if how == "detached":
        at.git("switch", "-q", "--detach")
    if how != "left":
        at.git("add", "-A", "-f")
    if how not in ("left", "staged"):
        at.git("commit", "-q", "-m", "mine")
        (at.root / "more.txt").write_text("more\n")
    if ended == "reported":
        await workspaces.commit("one", 1, "work\n")
    workspaces = await workspaces_of(project, tmp_path)
    await workspaces.release("one", 1)
    refs = [ref for ref in project.lines("for-each-ref", "--format=%(refname)") if "bigtask/" in ref]
    listed = project.lines("log", "--name-only", "--format=", "-m", "--root", *refs)
    assert "work.txt" in listed
    assert [path for path in listed if ".env" in path or "local" in path] == []
    assert not workspace.path.exists()


async def test_without_that_defence_they_are_recorded(tmp_path, monkeypatch):
    project = ordinary(tmp_path)
    workspaces = await workspaces_of(project, tmp_path)
    workspace = await workspaces.acquire("one", 1)
    await workspaces.include("one", 1, rules_of([".env"], below="", place="x"))
    (workspace.path / ".gitignore").write_text("")
    monkeypatch.setattr(prepared, "private", lambda home, name: frozenset())
    commit = await workspaces.commit("one", 1, "work\n")
    assert ".env" in {file.path for file in commit.files}


async def test_what_the_branch_has_of_its_own_stays_and_is_recorded(tmp_path):
    project = ordinary(tmp_path)
    project.git("switch", "-q", "-c", "with")
    project.git("add", "-f", ".env")
    project.git("commit", "-q", "-m", "env")
    project.git("switch", "-q", "trunk")
    (project.root / ".env").write_text("MINE=1\n")
    home = tmp_path / "run"
    home.mkdir()
    workspaces = RunWorkspaces("r1", await examine(project.root), home)
    await workspaces.prepare(base="with")
    workspace = await workspaces.acquire("one", 1)
    await workspaces.include("one", 1, rules_of([".env*"], below="", place="x"))
    assert (workspace.path / ".env").read_text() == "SECRET=1\n"
    (workspace.path / ".env").write_text("changed\n")
    commit = await workspaces.commit("one", 1, "work\n")
    assert [file.path for file in commit.files] == [".env"]


async def test_too_much_is_a_question_that_says_how_much(tmp_path, monkeypatch):
    monkeypatch.setattr(including, "MOST_BYTES", 1 << 20)
    scene = Scene(tmp_path, ONE)
    project = scene.project()
    with (project.root / ".env").open("wb") as file:
        file.truncate(2 << 20)
    folder = await scene.create(project, include=[".env*"])
    async with scene.held(folder) as link:
        asked = (await until(link, "orchestrator:waiting")).data.waiting
        assert "the template's include names ignored files of 2 MiB, and at most 1 MiB" in asked.question
        await answered(link, "without")
        await until(link, "orchestrator:completed")
    assert (await read_run(folder)).outcome is Outcome.COMPLETE


def test_too_many_files_are_refused(monkeypatch, tmp_path):
    monkeypatch.setattr(including, "MOST_FILES", 2)
    with pytest.raises(InvalidInput, match="names 3 ignored files"):
        including.require_small(tmp_path, ["a", "b", "c"], place="x")


def links(outside: Path) -> dict[str, tuple[str, ...]]:
    """Shapes of what lies in the person's folder, and what of it is left out. `>` is a link, `=` a pipe."""
    return {
        f"a > {outside}/secret": ("a",),
        "a > ../outside/secret": ("a",),
        f"d > {outside} d/secret": ("d/secret",),
        "d > ../outside d/secret": ("d/secret",),
        "a > b > ../outside/secret": ("a", "b"),
        "a > nowhere": (),
        "a > a": (),
        "a = ": ("a",),
        "real d/a > ../real": ("d/a",),
        "real a > real": (),
        "d/real d/a > ./real": (),
        "gone": ("gone",),
    }


@pytest.mark.parametrize("number", range(12))
def test_no_link_is_followed_out_of_the_project(tmp_path, number):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_text("hers")
    shape, left_out = list(links(outside).items())[number]
    root, worktree = tmp_path / "project", tmp_path / "worktree"
    root.mkdir()
    worktree.mkdir()
    words, paths = shape.split(), []
    while words:
        path = words.pop(0)
        paths.append(path)
        file = root / path
        if words[:1] == [">"]:
            words.pop(0)
            file.parent.mkdir(exist_ok=True)
            file.symlink_to(words[0])
            if words[0] not in ("b",):
                words.pop(0)
        elif words[:1] == ["="]:
            words.pop(0)
            os.mkfifo(file)
        elif path != "gone" and not file.exists():
            file.parent.mkdir(exist_ok=True)
            file.write_text("own")
    # The folder that is a link itself isn't what is asked for.
    paths = [path for path in paths if path != "d"]
    assert copy(root, worktree, paths) == left_out
    for at, _, names in os.walk(worktree):
        for name in names:
            file = Path(at, name)
            assert file.is_symlink() or file.read_text() == "own"
            if file.is_symlink():
                assert Path(os.path.realpath(file)).is_relative_to(worktree)


def test_nothing_is_written_through_a_link_of_the_worktree(tmp_path):
    root, worktree, outside = (tmp_path / name for name in ("project", "worktree", "outside"))
    for folder in (root / "d", worktree, outside):
        folder.mkdir(parents=True)
    (root / "d" / "a").write_text("new")
    (outside / "a").write_text("hers")
    (worktree / "d").symlink_to(outside)
    assert copy(root, worktree, ["d/a"]) == ("d/a",)
    (worktree / "b").symlink_to(outside / "a")
    (root / "b").write_text("new")
    assert copy(root, worktree, ["b"]) == ()
    assert (outside / "a").read_text() == "hers"
    assert sorted(path.name for path in outside.iterdir()) == ["a"]


async def test_a_copy_that_was_cut_off_is_nobody_s_work_and_is_made_whole(tmp_path, monkeypatch):
    project = ordinary(tmp_path)
    workspaces = await workspaces_of(project, tmp_path)
    workspace = await workspaces.acquire("one", 1)
    (workspace.path / ".gitignore").write_text("")
    rules = rules_of([".env"], below="", place="x")

    def cut(root: Path, worktree: Path, paths: tuple[str, ...]) -> tuple[str, ...]:
        (worktree / prepared.unfinished(".env")).write_text("SEC")
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("bigtask.workspaces.attempt_workspaces.copy", cut)
        with pytest.raises(KeyboardInterrupt):
            await workspaces.include("one", 1, rules)
    assert [file.path for file in (await workspaces.commit("one", 1, "x\n")).files] == [".gitignore"]
    await workspaces.include("one", 1, rules)
    assert (workspace.path / ".env").read_text() == "SECRET=1\n"
    assert not (workspace.path / prepared.unfinished(".env")).exists()
    # And once it's done, what the agent made of it stays.
    (workspace.path / ".env").write_text("changed\n")
    await workspaces.include("one", 1, rules)
    assert (workspace.path / ".env").read_text() == "changed\n"


async def test_changed_copies_are_kept_when_their_workspace_goes(tmp_path):
    project = ordinary(tmp_path)
    workspaces = await workspaces_of(project, tmp_path)
    workspace = await workspaces.acquire("one", 1)
    await workspaces.include("one", 1, rules_of([".env"], below="", place="x"))
    (workspace.path / ".env").write_text("worked out with much effort\n")
    await workspaces.release("one", 1)
    kept = [path.read_text() for path in (tmp_path / "run" / "trash").rglob(".env")]
    assert "worked out with much effort\n" in kept


async def test_a_plain_folder_has_its_files_too(tmp_path):
    root = tmp_path / "project"
    root.mkdir()
    for path, text in {"a.txt": "a\n", ".gitignore": ".env\n", ".env": "1\n"}.items():
        (root / path).write_text(text)
    workspaces = await workspaces_of(Project(root), tmp_path)
    workspace = await workspaces.acquire("one", 1)
    assert not (workspace.path / ".env").exists()
    await workspaces.include("one", 1, rules_of([".env"], below="", place="x"))
    assert (workspace.path / ".env").read_text() == "1\n"


async def test_a_worktree_without_private_files_costs_no_further_call(tmp_path):
    tree = (await workspaces_of(ordinary(tmp_path), tmp_path))._run.worktree("one", 1, "bigtask/r1/one/1")
    assert isinstance(tree, Worktree)
    assert tree.private == frozenset()


async def test_holders_hand_the_rules_of_the_template_on(tmp_path):
    scene = Scene(tmp_path, ONE)
    project = scene.project({"sub/x": "x"})
    for path in (".env", "sub/.env"):
        (project.root / path).write_text("1\n")
    folder = await scene.create(
        project, include=[".env"], setup=f'find . -name .env > "{tmp_path}/found"', below="sub"
    )
    async with hold(folder, scene.agents, who="a test", idle=True) as link:
        assert link.holder.run.settings.include == (".env",)
    await scene.carried_out(folder)
    assert scene.left("found") == ["./.env"]
