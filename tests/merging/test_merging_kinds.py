"""Every kind of conflict under every rule: what is merged is one side's or both's, never markers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from bigtask.workspaces.values import Conflicted, Merged, Strategy
from projects import Project

from .work import LINES, Bench, Work, all_of, folder, link, mode, rename, writes

pytestmark = pytest.mark.integration


def lines(**changed: str) -> str:
    """`LINES` with some of them replaced."""
    return "".join(f"{changed.get(line, line)}\n" for line in LINES.split())


NUL = b"\0\1\2"


@dataclass(frozen=True)
class Kind:
    """What two tasks do to the same thing, what a person reads of it, and the files that differ from the
    beginning when the first or the last one wins. Paths that are None aren't there."""

    one: Work
    two: Work
    what: str
    first: dict[str, str | None]
    last: dict[str, str | None]
    before: Work | None = None


KINDS = {
    "the same lines": Kind(
        one=writes(a_txt=lines(one="1", seven="1")),
        two=writes(a_txt=lines(four="2", seven="2")),
        what="both changed the same lines",
        # Only the lines in conflict are one side's: the others of both stay.
        first={"a.txt": "100644 " + lines(one="1", four="2", seven="1")},
        last={"a.txt": "100644 " + lines(one="1", four="2", seven="2")},
    ),
    "both added": Kind(
        one=writes(new_txt="1\n"),
        two=writes(new_txt="2\n"),
        what="both added it",
        first={"new.txt": "100644 1\n"},
        last={"new.txt": "100644 2\n"},
    ),
    "deleted, then edited": Kind(
        one=writes(a_txt=None),
        two=writes(a_txt=lines(one="2")),
        what="deleted before, changed by this task",
        first={"a.txt": None},
        last={"a.txt": "100644 " + lines(one="2")},
    ),
    "edited, then deleted": Kind(
        one=writes(a_txt=lines(one="1")),
        two=writes(a_txt=None),
        what="changed before, deleted by this task",
        first={"a.txt": "100644 " + lines(one="1")},
        last={"a.txt": None},
    ),
    "renamed differently": Kind(
        one=all_of(rename("a.txt", "a1.txt"), writes(a1_txt=lines(one="1"))),
        two=all_of(rename("a.txt", "a2.txt"), writes(a2_txt=lines(seven="2"))),
        what="renamed differently",
        first={"a.txt": None, "a1.txt": "100644 " + lines(one="1", seven="2"), "a2.txt": None},
        last={"a.txt": None, "a1.txt": None, "a2.txt": "100644 " + lines(one="1", seven="2")},
    ),
    "renamed differently, with the same lines": Kind(
        one=all_of(rename("a.txt", "a1.txt"), writes(a1_txt=lines(one="1"))),
        two=all_of(rename("a.txt", "a2.txt"), writes(a2_txt=lines(one="2"))),
        what="renamed differently",
        first={"a.txt": None, "a1.txt": "100644 " + lines(one="1"), "a2.txt": None},
        last={"a.txt": None, "a1.txt": None, "a2.txt": "100644 " + lines(one="2")},
    ),
    "renamed, then edited in the same lines": Kind(
        one=all_of(rename("a.txt", "a1.txt"), writes(a1_txt=lines(one="1"))),
        two=writes(a_txt=lines(one="2")),
        what="both changed the same lines",
        first={"a.txt": None, "a1.txt": "100644 " + lines(one="1")},
        last={"a.txt": None, "a1.txt": "100644 " + lines(one="2")},
    ),
    "mode": Kind(
        one=all_of(writes(new_txt="n\n"), mode("new.txt", 0o755)),
        two=writes(new_txt="n\n"),
        what="both changed its mode",
        first={"new.txt": "100755 n\n"},
        last={"new.txt": "100644 n\n"},
    ),
    "a mode beside the same lines": Kind(
        one=all_of(writes(a_txt=lines(one="1")), mode("a.txt", 0o755)),
        two=writes(a_txt=lines(one="2")),
        what="both changed the same lines",
        first={"a.txt": "100755 " + lines(one="1")},
        last={"a.txt": "100755 " + lines(one="2")},
    ),
    "links": Kind(
        before=link("link", "b.txt"),
        one=link("link", "a.txt"),
        two=link("link", "doc.md"),
        what="both changed it, and it is a link",
        first={"link": "120000 a.txt"},
        last={"link": "120000 doc.md"},
    ),
    "a link and a file": Kind(
        one=link("a.txt", "b.txt"),
        two=writes(a_txt=lines(one="2")),
        what="a file and a link",
        first={"a.txt": "120000 b.txt"},
        last={"a.txt": "100644 " + lines(one="2")},
    ),
    "binary": Kind(
        before=writes(image=NUL),
        one=writes(image=NUL + b"1"),
        two=writes(image=NUL + b"2"),
        what="both changed it, and it is binary",
        first={"image": "100644 \0\1\0021"},
        last={"image": "100644 \0\1\0022"},
    ),
    "a file and a folder": Kind(
        one=writes(place="1\n"),
        two=folder("place", "2\n"),
        what="renamed differently, or in the way of a folder",
        first={"place": "100644 1\n", "place/inside": None},
        last={"place": None, "place/inside": "100644 2\n"},
    ),
    "a folder and a file": Kind(
        one=folder("place", "1\n"),
        two=writes(place="2\n"),
        what="renamed differently, or in the way of a folder",
        first={"place": None, "place/inside": "100644 1\n"},
        last={"place": "100644 2\n", "place/inside": None},
    ),
    "case": Kind(
        one=writes(Read_me="1\n"),
        two=writes(READ_me="2\n"),
        what="its name is like READ.me",
        first={"Read.me": "100644 1\n", "READ.me": None},
        last={"Read.me": None, "READ.me": "100644 2\n"},
    ),
}


def expected(before: dict[str, str], changed: dict[str, str | None]) -> dict[str, str]:
    """As `tree` tells it: without the newline at the end."""
    whole: dict[str, str | None] = {**before, **changed}
    return {path: text.removesuffix("\n") for path, text in whole.items() if text is not None}


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize(("rule", "favour"), [("first", "ours"), ("last", "theirs")])
async def test_a_rule_settles_it(bench: Bench, name: str, rule: str, favour: str) -> None:
    kind = KINDS[name]
    await bench.begin(kind.before)
    before = bench.tree()
    await bench.work(one=kind.one, two=kind.two)
    assert isinstance(await bench.merge("one"), Merged)
    strategy = Strategy(favour=favour)  # type: ignore[arg-type]  # one of the two
    done = await bench.merge("two", strategy=strategy)
    assert isinstance(done, Merged)
    assert bench.tree() == expected(before, getattr(kind, rule))
    assert set(done.settled) & {*kind.first, *kind.last}
    assert done.side == favour
    assert bench.is_clean()
    again = await bench.merge("two", strategy=strategy)
    assert isinstance(again, Merged)
    assert (again.commit, again.settled, again.side) == (done.commit, done.settled, done.side)


@pytest.mark.parametrize("name", KINDS)
async def test_without_a_rule_nothing_is_touched_and_every_version_is_shown(bench: Bench, name: str) -> None:
    kind = KINDS[name]
    run = await bench.begin(kind.before)
    await bench.work(one=kind.one, two=kind.two)
    assert isinstance(await bench.merge("one"), Merged)
    before = bench.tree()
    found = await bench.merge("two")
    assert isinstance(found, Conflicted)
    assert bench.tree() == before
    assert bench.is_clean()
    assert kind.what in [file.what for file in found.files]
    assert not [file.path for file in found.files if "~" in file.path]
    shown = (await run.begin_merge("two", 1)).versions
    for file in found.files:
        for side, blob in (("base", file.base), ("ours", file.ours), ("theirs", file.theirs)):
            assert (shown / side / file.path).exists() == (blob is not None)
    assert not [path for path in shown.rglob("*") if path.is_symlink()]


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("favour", ["ours", "theirs"])
async def test_one_side_of_the_files_is_the_whole_of_them(bench: Bench, name: str, favour: str) -> None:
    """A person's word: what both changed elsewhere in the same file goes with it."""
    kind = KINDS[name]
    run = await bench.begin(kind.before)
    await bench.work(one=kind.one, two=all_of(kind.two, writes(beside_txt="beside\n")))
    await bench.merge("one")
    ours = bench.tree()
    theirs_at = Project((await run.acquire("two", 1)).path)
    found = await bench.merge("two")
    assert isinstance(found, Conflicted)
    # What somebody has tried meanwhile doesn't count.
    await run.begin_merge("two", 1)
    strategy = Strategy(favour=favour, whole=True)  # type: ignore[arg-type]  # one of the two
    assert isinstance(await bench.merge("two", strategy=strategy), Merged)
    merged = bench.tree()
    assert merged["beside.txt"] == "100644 beside"
    for file in found.files:
        if name.startswith(("renamed", "a file", "a folder")):
            continue  # where it lies under another name on the other side
        if favour == "ours":
            assert merged.get(file.path) == ours.get(file.path)
        elif file.theirs is None:
            assert file.path not in merged
        else:
            assert merged[file.path].endswith(theirs_at.git("cat-file", "-p", file.theirs))


@pytest.mark.parametrize("name", KINDS)
async def test_what_is_begun_in_a_workspace_can_be_brought_to_its_end(bench: Bench, name: str) -> None:
    kind = KINDS[name]
    run = await bench.begin(kind.before)
    await bench.work(one=kind.one, two=all_of(kind.two, writes(beside_txt="beside\n")))
    await bench.merge("one")
    assert isinstance(await bench.merge("two"), Conflicted)
    begun = await run.begin_merge("two", 1)
    at = Project(begun.workspace.path)
    assert at.git("rev-parse", "MERGE_HEAD") == bench.project.git("rev-parse", "bigtask/r1/main")
    if name != "case":
        assert at.lines("diff", "--name-only", "--diff-filter=U")
    assert begun.others == ("one",)
    assert not [path for path in at.lines("ls-files") if "~" in path]
    for file in begun.files:
        place = begun.workspace.path / file.path
        if place.is_dir() and not place.is_symlink():
            (place / "inside").unlink()
            place.rmdir()
        place.unlink(missing_ok=True)
        place.write_text("both\n")
    done = await run.commit("two", 1, "two", resolves=True)
    assert {change.path for change in done.files} >= {"beside.txt"}
    assert isinstance(await bench.merge("two"), Merged)
    merged = bench.tree()
    assert {merged[file.path] for file in begun.files} == {"100644 both"}
    assert not [text for text in merged.values() if "<<<<<<<" in text]
    assert bench.project.git("rev-parse", "bigtask/r1/two/1^1") != bench.project.git("rev-parse", "HEAD")
    assert await run.release("two", 1) is None


async def test_submodules_are_settled_too(bench: Bench, tmp_path: Path) -> None:
    """They are entries without content here: each side names another commit."""

    def at(commit: str) -> Work:
        return lambda place: Project(place).git(
            "update-index", "--add", "--cacheinfo", f"160000,{commit * 40},module"
        )

    for favour, kept in (("ours", "2"), ("theirs", "3")):
        one = Bench(tmp_path / favour)
        one.place.mkdir()
        run = await one.begin()
        for id, commit in (("one", "2"), ("two", "3")):
            work = await run.acquire(id, 1)
            (work.path / "module").mkdir()
            at(commit)(work.path)
            Project(work.path).git("commit", "-q", "-m", id)
        await one.merge("one")
        found = await one.merge("two")
        assert isinstance(found, Conflicted)
        assert [file.what for file in found.files] == ["both changed it, and it is a submodule"]
        shown = (await run.begin_merge("two", 1)).versions
        assert (shown / "theirs/module").read_text() == f"a submodule at {'3' * 40}\n"
        strategy = Strategy(favour=favour)  # type: ignore[arg-type]  # one of the two
        assert isinstance(await one.merge("two", strategy=strategy), Merged)
        assert one.tree()["module"] == f"160000 {kept * 40}"


async def test_names_that_one_side_has_on_purpose_are_no_conflict(bench: Bench) -> None:
    await bench.begin(writes(Make_file="1\n"))
    await bench.work(
        one=writes(read_me="1\n", READ_me="2\n"), two=writes(MAKE_file="2\n"), three=writes(x_y="3\n")
    )
    for id in ("one", "two", "three"):
        assert isinstance(await bench.merge(id), Merged)
    assert {"read.me", "READ.me", "Make.file", "MAKE.file", "x.y"} <= set(bench.tree())


async def test_a_new_file_in_a_folder_that_was_renamed_meanwhile_is_kept(bench: Bench) -> None:
    def old(place: Path) -> None:
        (place / "old").mkdir()
        for number in range(3):
            (place / f"old/{number}").write_text(LINES * (number + 1))

    for favour in ("ours", "theirs"):
        one = Bench(bench.place / favour)
        one.place.mkdir()
        await one.begin(old)
        await one.work(one=rename("old", "new"), two=lambda place: (place / "old/fresh").write_text("f\n"))
        await one.merge("one")
        strategy = Strategy(favour=favour)  # type: ignore[arg-type]  # one of the two
        assert isinstance(await one.merge("two", strategy=strategy), Merged)
        assert one.tree()["new/fresh"] == "100644 f"
