"""Names of branches, tasks and files that mean something else to git, to a shell or to a terminal."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bigtask.core.states import Outcome
from bigtask.errors import InvalidInput
from bigtask.workspaces import gates, git, names
from bigtask.workspaces.gates import Ref, Revision
from bigtask.workspaces.run_workspaces import RunWorkspaces
from bigtask.workspaces.source import examine
from projects import ENV
from promises.totals import record

from .scene import Meddling, Scene, plain, whole_life

pytestmark = pytest.mark.integration

# A file called `ran` is what each of them would leave if it were carried out.
BRANCHES = (
    "--upload-pack=touch$IFS''ran",
    "-u",
    "--output=ran",
    "-delete",
    "--exec=touch",
    "$(touch$IFS''ran)",
    "`touch$IFS''ran`",
    ";touch$IFS''ran",
    "|touch$IFS''ran",
    "&&touch",
    "'quoted'",
    '"quoted"',
    "a{b,c}",
    "HEAD",
    "heads/refs",
    "refs/heads/refs",
    "%s%n",
    "<b>bold</b>",
    "ünïcödé-\u202e-reversed",
    "bigtask",
)
FILES = (
    b"--output=ran",
    b"-rf",
    b"--",
    b"$(touch ran)",
    b"`touch ran`",
    b";touch ran;",
    b"|touch ran",
    b"a\nb",
    b"a\tb",
    b" leading and trailing ",
    b"\x1b]52;c;cmFu\x07",
    b"\x1b[2J",
    b":(top,glob)**",
    b":!a.txt",
    b"*",
    b"[a-z].txt",
    b"back\\slash",
    b'"quoted"',
    "\u202etxt.exe".encode(),
    b"\xff\xfe not UTF-8",
    b"ORIG_HEAD",
    b".gitmodules",
)
HOSTILE = (
    *BRANCHES,
    "",
    "-",
    "--",
    "@",
    "a..b",
    "a b",
    "a\nb",
    "a\0b",
    "a~1",
    "a^{tree}",
    "a:b",
    "a?",
    "a*",
    "a[b",
    "a\\b",
    ".hidden",
    "a/.hidden",
    "a.lock",
    "a.lock/b",
    "a/",
    "/a",
    "a//b",
    "a.",
    "a@{1}",
    "ref\x7f",
    "x" * 2_000,
    "\udcff",
)


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


def git_takes(ref: str) -> bool:
    done = subprocess.run(["git", "check-ref-format", ref], env=ENV, capture_output=True, check=False)
    return done.returncode == 0


@pytest.mark.parametrize("name", HOSTILE)
def test_a_ref_is_what_git_calls_one(name: str) -> None:
    if "\0" in name or name.endswith("\udcff") or len(name) > 1_000:
        taken = False
    else:
        taken = git_takes(f"refs/heads/{name}")
    if taken:
        assert Ref(f"refs/heads/{name}") == f"refs/heads/{name}"
    else:
        with pytest.raises(InvalidInput, match="choose another one"):
            Ref(f"refs/heads/{name}")
    if not name.startswith("refs/"):
        with pytest.raises(InvalidInput):
            Ref(name)


@given(st.text(alphabet="ab./@{}~^:?*[\\ -\x01é\x7f", min_size=1, max_size=8).map(lambda text: text + "l"))
def test_the_gate_for_refs_is_gits_own(text: str) -> None:
    ref = f"refs/{text.replace('l', '.lock', 1) if text.startswith('a') else text}"
    try:
        Ref(ref)
        passed = True
    except InvalidInput:
        passed = False
    # One level below `refs/` is all that git itself asks for.
    assert passed == git_takes(ref)


@pytest.mark.parametrize("name", HOSTILE)
def test_an_id_that_is_no_id_makes_no_name(name: str) -> None:
    for make in (
        lambda: names.attempt_branch("r1", name, 1),
        lambda: names.attempt_branch(name, "one", 1) if name != "bigtask" else names.base_ref("../x"),
        lambda: names.folder("r1", f"../{name}", 1),
    ):
        if name == "bigtask":
            continue
        with pytest.raises(InvalidInput):
            make()


async def test_what_a_person_types_for_a_commit_is_never_an_option(scene: Scene) -> None:
    before = sorted(os.listdir(scene.project.root))
    source = await examine(scene.project.root)
    (scene.place / "run").mkdir()
    run = RunWorkspaces("r1", source, scene.place / "run")
    for text in HOSTILE:
        # Some of them do name a commit: HEAD, and HEAD under its short name.
        if text not in ("HEAD", "@"):
            with pytest.raises(InvalidInput, match=r"is no commit|NUL"):
                await run.prepare(base=text)
    assert sorted(os.listdir(scene.project.root)) == before
    with pytest.raises(InvalidInput, match="is no commit"):
        Revision("-x")


async def test_a_value_that_looks_like_an_option_goes_nowhere(scene: Scene) -> None:
    source = await examine(scene.project.root)
    for arguments in (
        ("diff-tree", "-p", "--output=ran", "HEAD", "HEAD"),
        ("merge-base", "--upload-pack=x", "HEAD"),
        ("update-ref", "-m", "why", "-x"),
    ):
        with pytest.raises(InvalidInput, match="begins like an option of git"):
            await source.git.call(*arguments)
    with pytest.raises(InvalidInput, match="NUL"):
        await source.git.call("rev-parse", "--", "a\0b")
    assert not (scene.project.root / "ran").exists()


async def test_without_the_list_of_options_one_writes_a_file(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = await examine(scene.project.root)
    monkeypatch.setattr(git, "require_plain", lambda _: None)
    await source.git.call("diff-tree", "-p", "--root", "--output=ran", "HEAD")
    assert (scene.project.root / "ran").exists()
    assert "--output" not in gates.OPTIONS


@pytest.mark.parametrize("branch", BRANCHES)
async def test_a_branch_may_be_called_anything_that_git_takes(scene: Scene, branch: str) -> None:
    project = scene.project
    if branch == "bigtask":
        pytest.skip("that one is refused by name: tests/workspaces")
    head = project.git("rev-parse", "HEAD")
    project.git("update-ref", "--", f"refs/heads/{branch}", head)
    project.git("symbolic-ref", "HEAD", f"refs/heads/{branch}")
    (scene.place / "run").mkdir()
    source = await examine(project.root)
    assert source.branch == branch
    run = RunWorkspaces("r1", source, scene.place / "run")
    await run.prepare()
    work = await run.acquire("one", 1)
    (work.path / "new.txt").write_text("x\n")
    await run.commit("one", 1, "m")
    await run.merge("one", 1, "t")
    await run.diff("one")
    await run.apply_result()
    assert (project.root / "new.txt").exists()
    await run.undo_apply()
    await run.give_up()
    assert project.git("rev-parse", f"refs/heads/{branch}") == head
    assert not list(scene.place.rglob("ran"))


async def test_files_may_be_called_anything(scene: Scene) -> None:
    """Of the person's, and of those that an agent makes: changed, committed, merged, taken over and out."""
    project = scene.project
    for name in FILES:
        if name != b".gitmodules":
            (Path(os.fsdecode(os.fsencode(project.root) + b"/" + name))).write_text("theirs\n")
    project.git("add", "-A")
    project.git("commit", "-q", "-m", "names")
    tree = project.git("rev-parse", "HEAD^{tree}")

    def write(at: Path) -> None:
        head = plain(at, "rev-parse", "HEAD").strip()
        run_id = at.name.partition(".")[0]
        for branch in (b"not UTF-8 \xff".replace(b" ", b"-"), "line\u2028break".encode(), b"-x"):
            ref = os.fsdecode(b"refs/heads/bigtask/" + run_id.encode() + b"/" + branch)
            plain(at, "update-ref", "--", ref, head)
        for name in FILES:
            Path(os.fsdecode(os.fsencode(at) + b"/" + name)).write_text("changed\n")
            folder = os.fsdecode(os.fsencode(at) + b"/in " + name)
            os.mkdir(folder)
            Path(folder, os.fsdecode(name)).write_text("new\n")

    agents = Meddling({"tasks": [{"id": "one"}]}, {"one": write})
    run = await whole_life(scene, agents)
    assert run.outcome is Outcome.COMPLETE, (run.reason, run.waiting)
    evidence = run.tasks["one"].attempts[-1].evidence
    assert evidence is not None
    assert len(evidence.files) >= 2 * len(FILES)
    assert project.git("rev-parse", "HEAD^{tree}") == tree
    assert plain(project.root, "status", "--porcelain") == ""
    assert not list(scene.place.rglob("ran"))
    record(15, name="hostile names of branches and files", unit="names", count=len(BRANCHES) + len(FILES),
           violations=0)  # fmt: skip
