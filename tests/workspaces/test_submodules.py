"""A project with a submodule that has one of its own, both checked out by git."""

from __future__ import annotations

from pathlib import Path

import pytest

from bigtask.errors import InvalidInput
from projects import Project, repository

LOCAL = ("-c", "protocol.file.allow=always")


def committed(at: Project, message: str) -> str:
    at.git("add", "-A")
    at.git("commit", "-q", "-m", message)
    return at.git("rev-parse", "HEAD")


@pytest.fixture
def nested(project, tmp_path: Path):
    inner = repository(tmp_path / "inner", {"core.c": "int core;\n"})
    outer = repository(
        tmp_path / "outer", {"lib.c": "int lib;\n", ".gitignore": "*.o\n", "run.sh": "#!/bin/sh\n"}
    )
    (outer.root / "run.sh").chmod(0o755)
    outer.git(*LOCAL, "submodule", "add", "-q", str(inner.root), "deep/core")
    committed(outer, "with its own")
    project.git(*LOCAL, "submodule", "add", "-q", str(outer.root), "vendor/lib")
    project.git(*LOCAL, "submodule", "update", "-q", "--init", "--recursive")
    project.commit("with a submodule")
    return project


async def test_their_files_are_in_every_worktree_and_none_of_them_is_a_change(nested, opened):
    before = nested.untouched()
    workspaces = await opened()
    await workspaces.prepare()
    one = await workspaces.acquire("one", 1)
    beside = await workspaces.beside()
    for place in (workspaces.integration.path, one.path, beside.path):
        assert (place / "vendor/lib/lib.c").read_text() == "int lib;\n"
        assert (place / "vendor/lib/run.sh").stat().st_mode & 0o111
        assert (place / "vendor/lib/deep/core/core.c").read_text() == "int core;\n"
        assert not (place / "vendor/lib/.git").exists()
        assert nested.git("status", "--porcelain", "--ignored", at=place) == ""
    done = await workspaces.commit("one", 1, "one")
    assert done.commit is None
    assert done.in_submodules == ()
    assert nested.untouched() == before


async def test_what_is_changed_in_one_is_told_and_kept_and_is_no_part_of_the_work(nested, opened, tmp_path):
    workspaces = await opened()
    await workspaces.prepare()
    place = (await workspaces.acquire("one", 1)).path
    (place / "a.txt").write_text("one\n")
    (place / "vendor/lib/lib.c").write_text("int changed;\n")
    (place / "vendor/lib/new.c").write_text("int new;\n")
    (place / "vendor/lib/lib.o").write_text("built\n")
    (place / "vendor/lib/deep/core/core.c").unlink()
    done = await workspaces.commit("one", 1, "one")
    assert [file.path for file in done.files] == ["a.txt"]
    told = ("vendor/lib/deep/core/core.c", "vendor/lib/lib.c", "vendor/lib/new.c")
    assert done.in_submodules == told
    assert (await workspaces.commit("one", 1, "again")).in_submodules == told
    await workspaces.release("one", 1)
    assert not place.exists()
    kept = {file.name: file.read_text() for file in (tmp_path / "home/r1/trash").rglob("*") if file.is_file()}
    assert kept == {"lib.c": "int changed;\n", "new.c": "int new;\n", "lib.o": "built\n"}


async def test_a_worktree_that_goes_leaves_nothing_of_them(nested, opened, tmp_path):
    workspaces = await opened()
    await workspaces.prepare()
    await workspaces.acquire("one", 1)
    await workspaces.beside()
    await workspaces.give_up()
    assert await workspaces.leftovers() == [
        entry for entry in await workspaces.leftovers() if entry.kind == "branch"
    ]
    home = tmp_path / "home/r1"
    assert not (home / "trash").exists()
    assert [file.name for file in (home / "submodules").iterdir()] == ["objects.git"]


async def test_what_a_crash_cut_off_is_filled_in_by_the_next_holder(nested, opened, tmp_path):
    workspaces = await opened()
    await workspaces.prepare()
    place = (await workspaces.acquire("one", 1)).path
    index = next((tmp_path / "home/r1/submodules" / place.name).glob("vendor/lib/.bigtask-index"))
    for file in sorted((place / "vendor/lib").rglob("*"), reverse=True):
        file.rmdir() if file.is_dir() else file.unlink()
    index.unlink()
    workspaces = await opened()
    await workspaces.prepare()
    again = await workspaces.acquire("one", 1)
    assert (again.path / "vendor/lib/lib.c").read_text() == "int lib;\n"


async def test_one_whose_commit_is_not_here_is_refused_by_name(nested, opened, tmp_path):
    outer = Project(tmp_path / "outer")
    (outer.root / "lib.c").write_text("int later;\n")
    later = committed(outer, "later")
    nested.git("update-index", "--cacheinfo", f"160000,{later},vendor/lib")
    nested.git("commit", "-q", "-m", "a commit that nobody has fetched")
    workspaces = await opened()
    with pytest.raises(InvalidInput) as refused:
        await workspaces.prepare()
    assert str(refused.value) == (
        "the submodule vendor/lib: the commit that the project names isn't on this machine: "
        "git submodule update --init -- vendor/lib"
    )
    assert nested.git("branch", "--list", "bigtask/*") == ""


async def test_one_that_nobody_has_checked_out_stays_empty_as_it_is_for_its_person(nested, opened):
    nested.git("submodule", "deinit", "-q", "--all", "--force")
    later = "1" * 40
    nested.git("update-index", "--cacheinfo", f"160000,{later},vendor/lib")
    nested.git("commit", "-q", "-m", "not here")
    workspaces = await opened()
    await workspaces.prepare()
    assert list((workspaces.integration.path / "vendor/lib").iterdir()) == []


async def test_neither_its_settings_nor_its_attributes_run_anything(nested, opened, tmp_path):
    canary = tmp_path / "ran"
    program = f"sh -c 'touch {canary}; cat'"
    module = Project(nested.root / "vendor/lib")
    (module.root / ".gitattributes").write_text("* filter=evil\n")
    committed(module, "attributes")
    nested.git("commit", "-q", "-am", "newer")
    for key in ("filter.evil.smudge", "filter.evil.clean", "core.fsmonitor"):
        module.git("config", key, program)
    workspaces = await opened()
    await workspaces.prepare()
    place = (await workspaces.acquire("one", 1)).path
    (place / "vendor/lib/lib.c").write_text("changed\n")
    assert (await workspaces.commit("one", 1, "one")).in_submodules == ("vendor/lib/lib.c",)
    assert not canary.exists()
    (module.root / "lib.c").unlink()
    module.git("checkout", "-q", "--", "lib.c")
    assert canary.exists()  # plain git does run it


async def test_a_link_in_its_place_is_not_followed(nested, opened, tmp_path):
    workspaces = await opened()
    await workspaces.prepare()
    place = (await workspaces.acquire("one", 1)).path
    outside = tmp_path / "outside"
    outside.mkdir()
    (place / "vendor").rename(tmp_path / "aside")
    (place / "vendor").symlink_to(outside)
    (tmp_path / "home/r1/submodules" / place.name / "vendor/lib/.bigtask-index").unlink()
    workspaces = await opened()
    await workspaces.prepare()
    await workspaces.acquire("one", 1)
    assert list(outside.iterdir()) == []
