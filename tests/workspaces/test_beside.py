"""The workspace of programs that have no part in the result."""

from __future__ import annotations

import shutil

import pytest

from bigtask.workspaces import names

pytestmark = pytest.mark.integration

RESCUED = names.rescue_ref("r1", names.BESIDE, 1)


async def merged(workspaces, task: str, path: str, text: str) -> None:
    place = await workspaces.acquire(task, 1)
    (place.path / path).write_text(text)
    await workspaces.commit(task, 1, task)
    await workspaces.merge(task, 1, title=task)


async def test_it_has_what_is_merged_by_then_and_stands_on_no_branch(project, opened):
    workspaces = await opened()
    await workspaces.prepare()
    place = (await workspaces.beside()).path
    assert sorted(file.name for file in place.iterdir()) == [".git", ".gitignore", "a.txt", "lib"]
    await merged(workspaces, "one", "new.txt", "new\n")
    assert not (place / "new.txt").exists()
    assert (await workspaces.beside()).path == place
    assert (place / "new.txt").read_text() == "new\n"
    assert project.git("branch", "--show-current", at=place) == ""
    assert project.git("status", "--porcelain", at=place) == ""


async def test_what_programs_left_stays_where_it_is_in_nobodys_way(project, opened):
    workspaces = await opened()
    await workspaces.prepare()
    place = (await workspaces.beside()).path
    (place / "notes").write_text("mine\n")
    await merged(workspaces, "one", "new.txt", "new\n")
    await workspaces.beside()
    assert (place / "notes").read_text() == "mine\n"
    assert (place / "new.txt").read_text() == "new\n"
    assert not project.git("for-each-ref", RESCUED)


async def test_what_is_in_the_way_is_kept_under_a_ref_each_time(project, opened):
    workspaces = await opened()
    await workspaces.prepare()
    place = (await workspaces.beside()).path
    for number in (1, 2):
        (place / "new.txt").write_text(f"of a program {number}\n")
        await merged(workspaces, f"t{number}", "new.txt", f"merged {number}\n")
        await workspaces.beside()
        assert (place / "new.txt").read_text() == f"merged {number}\n"
    assert project.git("show", f"{RESCUED}:new.txt") == "of a program 2"
    assert project.git("show", f"{RESCUED}^2:new.txt") == "of a program 1"


async def test_it_is_made_again_where_it_was_broken(project, opened):
    workspaces = await opened()
    await workspaces.prepare()
    place = (await workspaces.beside()).path
    shutil.rmtree(place)
    assert (await (await opened()).beside()).path == place
    assert project.git("status", "--porcelain", at=place) == ""


async def test_nothing_is_lost_when_it_is_given_up(project, opened):
    workspaces = await opened()
    await workspaces.prepare()
    place = (await workspaces.beside()).path
    (place / "notes").write_text("mine\n")
    await workspaces.give_up()
    assert not place.exists()
    assert project.git("show", f"{RESCUED}:notes") == "mine"
    assert [left.kind for left in await workspaces.leftovers()] == ["branch"]
