from __future__ import annotations

import json
from pathlib import Path

import pytest

from bigtask.doctor import Level, judge_file_system

from .person import HANGING, SMALL, Person, works_at


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
async def test_a_template_that_nobody_has_approved_is_no_usable_one(person: Person) -> None:
    hooked = {"id": "hooked", "name": "Hooked", "extends": "_default", "hooks": {"onError": ["true"]}}
    (person.home.templates / "hooked.json").write_text(json.dumps(hooked))
    found = {one["area"]: one for one in (await person.bigtask("doctor", "--json")).json["findings"]}
    assert "hooked" not in found["templates"]["text"]
    assert found["template hooked"]["level"] == "warn"
    assert found["template hooked"]["next"] == "bigtask template approve hooked"


@pytest.mark.integration
async def test_where_an_agent_s_program_lies_is_for_programs(person: Person) -> None:
    agents = {one["name"]: one for one in (await person.bigtask("agents", "--json")).json["agents"]}
    program = agents["claude"]["program"]
    found = {one["area"]: one for one in (await person.bigtask("doctor", "--json")).json["findings"]}
    assert found["agent claude"]["path"] == (program or "")
    assert found["agent offline"]["path"] == ""
    for shown in ((await person.bigtask("doctor")).out, (await person.bigtask("agents")).out):
        assert "claude_agent_sdk/" not in shown


@pytest.mark.integration
async def test_a_run_that_is_held_is_named_with_its_process(person: Person) -> None:
    folder = await person.create(HANGING)
    async with person.carrying_out(folder, works_at("one")):
        found = (await person.bigtask("doctor", "--json")).json["findings"]
    assert [one["text"].startswith("held by process ") for one in found if folder.id[-6:] in one["area"]] == [
        True
    ]


@pytest.mark.integration
async def test_programs_that_the_repository_makes_git_run_are_named_until_they_are_approved(
    person: Person,
) -> None:
    project = person.repository()

    async def said() -> list[tuple[str, str, str]]:
        found = (await person.bigtask("doctor", "--json", cwd=project.root)).json["findings"]
        return [(one["level"], one["text"], one["next"]) for one in found if one["area"] == "git settings"]

    assert await said() == []
    project.git("config", "filter.x.clean", "cat")
    refused = "filter.x.clean: not approved, no run begins in this repository"
    assert await said() == [("warn", refused, "bigtask approve")]
    await person.bigtask("approve", "--yes", cwd=project.root)
    assert await said() == [("ok", "approved: filter.x.clean", "")]
