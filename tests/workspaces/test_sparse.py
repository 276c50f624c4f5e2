"""A sparse checkout, by folders (`--cone`) and by patterns: what is left out stays so in every workspace, but
for what the run itself has changed."""

from __future__ import annotations

from pathlib import Path

import pytest

from bigtask.workspaces.values import Conflicted, Merged

WAYS = {"cone": ("--cone", "lib"), "patterns": ("--no-cone", "/lib/", "/*.txt")}
every_way = pytest.mark.parametrize("way", WAYS)


def sparse(project, way: str) -> None:
    project.write("far/away/c.txt", "one\ntwo\nthree\n")
    project.write("far/other.txt", "other\n")
    project.commit("far")
    project.git("sparse-checkout", "set", *WAYS[way])
    assert not (project.root / "far").exists()


def write(place: Path, path: str, text: str) -> None:
    (place / path).parent.mkdir(parents=True, exist_ok=True)
    (place / path).write_text(text)


@every_way
async def test_what_a_task_writes_outside_of_it_is_there_for_all_that_follow(project, opened, way):
    sparse(project, way)
    run = await opened()
    await run.prepare()
    first = await run.acquire("one", 1)
    beside = await run.beside()
    assert not (first.path / "far").exists()
    write(first.path, "far/new.txt", "new\n")
    write(first.path, "far/away/c.txt", "one\nTWO\nthree\n")
    await run.commit("one", 1, "one")
    assert isinstance(await run.merge("one", 1, "One"), Merged)
    later = await run.acquire("two", 1)
    assert await run.beside() != beside
    for place in (run.integration.path, later.path, beside.path):
        assert (place / "far/new.txt").read_text() == "new\n"
        assert (place / "far/away/c.txt").read_text() == "one\nTWO\nthree\n"
        assert not (place / "far/other.txt").exists()
    # Nothing of that is anybody's change.
    assert (await run.commit("two", 1, "two")).commit is None
    assert await run.clear_integration() is None
    assert (run.integration.path / "far/new.txt").exists()


@every_way
async def test_a_conflict_outside_of_it_can_be_resolved(project, opened, way):
    sparse(project, way)
    run = await opened()
    await run.prepare()
    for id, text in (("one", "one\nONE\nthree\n"), ("two", "one\nzwei\nthree\n")):
        write((await run.acquire(id, 1)).path, "far/away/c.txt", text)
        await run.commit(id, 1, id)
    await run.merge("one", 1, "One")
    assert isinstance(await run.merge("two", 1, "Two"), Conflicted)
    begun = await run.begin_merge("two", 1)
    file = begun.workspace.path / "far/away/c.txt"
    assert "<<<<<<<" in file.read_text()
    file.write_text("one\nboth\nthree\n")
    await run.commit("two", 1, "both", resolves=True)
    assert isinstance(await run.merge("two", 1, "Two"), Merged)
    assert (run.integration.path / "far/away/c.txt").read_text() == "one\nboth\nthree\n"


@every_way
async def test_the_result_comes_whole_and_goes_again(project, opened, way):
    sparse(project, way)
    before = project.untouched()
    run = await opened()
    await run.prepare()
    work = (await run.acquire("one", 1)).path
    write(work, "far/new.txt", "new\n")
    write(work, "far/away/c.txt", "changed\n")
    await run.commit("one", 1, "one")
    await run.merge("one", 1, "One")
    await run.apply_result()
    assert project.git("status", "--porcelain") == ""
    assert project.git("show", "HEAD:far/new.txt") == "new"
    assert project.git("show", "HEAD:far/away/c.txt") == "changed"
    assert project.git("show", "HEAD:far/other.txt") == "other"
    await run.undo_apply()
    assert project.git("status", "--porcelain") == ""
    after = project.untouched()
    assert {path for path in after if path.startswith("/")} == {
        path for path in before if path.startswith("/")
    }
