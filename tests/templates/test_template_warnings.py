"""What is odd about a template is told to whoever makes a run of it, and stays with the run."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from bigtask.templates.checking import warnings_for
from bigtask.templates.manager import TemplateManager
from bigtask.templates.template import Template
from cli.here import here
from cli.person import Person


@pytest.fixture
def person(tmp_path: Path) -> Person:
    return Person(tmp_path)


TITEL = "/prompts/worker/user: {TASK_TITEL} has no value and stays as it is: did you mean TASK_TITLE?"


def template(place: Path, **more: Any) -> Template:
    place.mkdir()
    (place / "mine.json").write_text(json.dumps({"id": "mine", "name": "M", "extends": "_default", **more}))
    return TemplateManager(user_dir=place).get("mine")


def test_what_a_run_gives_a_value_to_is_no_oddity_of_it(tmp_path: Path) -> None:
    prompts = {"worker": {"user": "{OTHER} {TASK_ID} {RESPONSE_FORMAT}"}}
    mine = template(tmp_path / "own", prompts=prompts, variables={"LANGUAGE": "en"})
    assert [where for where, _ in warnings_for(mine, ())] == ["/prompts/worker/user"]
    assert warnings_for(mine, {"OTHER": 1, "LANGUAGE": "fr"}) == ()
    assert dict(warnings_for(mine, ["OTHER", "LANGUGE", "TASK_ID", "QQQ"])) == {
        "/variables/LANGUGE": "no prompt names {LANGUGE}: did you mean LANGUAGE?",
        "/variables/TASK_ID": "TASK_ID is set by bigtask itself: the value that was given is never used",
        "/variables/QQQ": "no prompt names {QQQ}: its value is never used",
    }


@pytest.mark.integration
async def test_it_is_told_at_the_start_on_the_page_with_its_tasks_and_in_the_result(person: Person) -> None:
    file = person.home.templates / "tested.json"
    raw = json.loads(file.read_text())
    file.write_text(json.dumps({**raw, "prompts": {"worker": {"user": "{TASK_TITEL} {RESPONSE_FORMAT}"}}}))
    agent = person.desk.script({"tasks": [{"id": "one"}]})
    project = person.repository()
    command = ("run", "tested", "Do it", "--agent", agent, "--yes", "--cwd", str(project.root))
    begun = await person.bigtask(*command, "--var", "X=1")
    assert f"the template tested: {TITEL}" in begun.err
    assert "/variables/X: no prompt names {X}: its value is never used" in begun.err

    def shown(*arguments: str) -> str:
        said = here(person.env, *arguments)
        assert said.status == 0, said.err
        return said.out

    page = await asyncio.to_thread(lambda: shown("show", "last"))
    assert TITEL in page.partition("About the template")[2]
    task = await asyncio.to_thread(lambda: shown("show", "last", "one"))
    assert f"! the template: {TITEL}" in task
    assert "/variables/X" not in task
    assert TITEL not in await asyncio.to_thread(lambda: shown("show", "last", "@planning"))
    whole = json.loads(await asyncio.to_thread(lambda: shown("show", "last", "--json")))
    assert f"the template: {TITEL}" in whole["warnings"]
    assert (
        TITEL
        in json.loads(await asyncio.to_thread(lambda: shown("report", "last", "--format", "json")))[
            "warnings"
        ][0]
    )
