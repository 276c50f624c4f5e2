from __future__ import annotations

from pathlib import Path

import pytest

from bigtask.doctor import Level, file_system, judge_file_system

from .person import HANGING, SMALL, Person, works_at

MOUNTS = "\n".join(
    (
        "22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw",
        "31 22 0:40 / /home rw,relatime shared:2 - nfs4 server:/home rw",
        r"32 31 0:41 / /home/a\040b rw - tmpfs tmpfs rw",
        "33 22 0:42 / /over rw - overlay one rw",
        "34 33 0:43 / /over rw - fuse.sshfs two rw",
        "nonsense",
    )
)


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/var/lib", "ext4"),
        ("/homer", "ext4"),
        ("/home/ada/.local", "nfs4"),
        ("/home/a b/c", "tmpfs"),
        ("/over/x", "fuse.sshfs"),
    ],
)
def test_the_file_system_is_that_of_the_nearest_mount(path: str, name: str) -> None:
    assert file_system(MOUNTS, Path(path)) == name


def test_a_place_over_a_network_is_a_problem_with_a_next_step() -> None:
    found = judge_file_system("nfs4")
    assert found.level is Level.PROBLEM
    assert "BIGTASK_HOME" in found.next
    assert judge_file_system("ext4").level is Level.OK


@pytest.mark.integration
async def test_a_machine_that_is_well_has_no_problem(person: Person) -> None:
    said = await person.bigtask("doctor", "--json")
    assert (said.status, said.json["ok"]) == (0, True)
    areas = [one["area"] for one in said.json["findings"]]
    assert {"system", "Python", "git", "SQLite", "runs", "space", "templates", "BIGTASK_HOME"} <= set(areas)
    assert "0 problems" in (await person.bigtask("doctor")).err


@pytest.mark.integration
async def test_a_place_that_cannot_be_written_is_a_problem(person: Person, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    said = await person.bigtask("doctor", "--json", env={"BIGTASK_HOME": str(tmp_path / "file" / "home")})
    assert (said.status, said.json["ok"]) == (1, False)
    assert [one["area"] for one in said.json["findings"] if one["level"] == "problem"] == [
        "runs",
        "run folders",
    ]


@pytest.mark.integration
async def test_a_machine_without_git_is_a_problem_and_everything_else_is_still_said(
    person: Person, tmp_path: Path
) -> None:
    said = await person.bigtask("doctor", "--json", env={"PATH": str(tmp_path)})
    assert said.status == 1
    assert [one["area"] for one in said.json["findings"] if one["level"] == "problem"] == ["git"]


@pytest.mark.integration
async def test_what_is_left_over_is_named_with_a_next_step(person: Person) -> None:
    left = await person.left(HANGING, works_at("one"))
    bad = await person.create(SMALL)
    bad.log.write_bytes(b"no log" * 500)
    (person.home.templates / "broken.json").write_text("{")
    crash = {"BIGTASK_CRASH_AT": "after worker:completed 99", "BIGTASK_WHATEVER": "1"}
    found = (await person.bigtask("doctor", "--json", env=crash)).json["findings"]
    warned = {one["area"]: one for one in found if one["level"] == "warn"}
    assert set(warned) == {
        f"run {left.id[-6:]}",
        f"run {bad.id[-6:]}",
        "template broken",
        "BIGTASK_CRASH_AT",
        "BIGTASK_WHATEVER",
    }
    assert f"bigtask resume {left.id[-6:]}" in warned[f"run {left.id[-6:]}"]["next"]
    assert all(one["next"] for one in warned.values())


@pytest.mark.integration
async def test_a_run_that_is_held_is_named_with_its_process(person: Person) -> None:
    folder = await person.create(HANGING)
    async with person.carrying_out(folder, works_at("one")):
        found = (await person.bigtask("doctor", "--json")).json["findings"]
    assert [one["text"].startswith("held by process ") for one in found if folder.id[-6:] in one["area"]] == [
        True
    ]
