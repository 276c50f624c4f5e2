"""`bigtask edit` as a program, with editors that are programs too."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import pytest

from bigtask.core.edits import SetTask
from bigtask.core.run import Run
from bigtask.errors import InvalidPlan
from bigtask.host import access
from bigtask.host.home import RunFolder
from bigtask.module import OrchestratorModule
from cli.person import Person, Said, waits

from .editors import editor, left

pytestmark = pytest.mark.integration

THREE = {"tasks": [{"id": "one"}, {"id": "two", "dependencies": ["one"]}, {"id": "three"}]}


@pytest.fixture
def person(tmp_path: Path) -> Person:
    person = Person(tmp_path)
    (tmp_path / "tmp").mkdir()
    person.desk.template(
        config={"maxRetries": 0},
        phases={phase: {"enabled": False} for phase in ("analysis", "aggregation", "verification")},
    )
    return person


async def planned(person: Person, script: Any = THREE) -> RunFolder:
    folder = await person.create(script, yes=False)
    async with person.carrying_out(folder, waits):
        return folder


async def run_of(folder: RunFolder) -> Run:
    return await access.read_run(folder)


async def revision(folder: RunFolder) -> int:
    plan = (await run_of(folder)).plan
    assert plan is not None
    return plan.revision


async def edit(person: Person, *changes: str) -> Said:
    return await person.bigtask("edit", "last", "--json", env=editor(person, *changes))


async def test_what_was_saved_becomes_the_plan(person: Person) -> None:
    folder = await planned(person)
    said = await edit(
        person,
        "text = text.replace('priority = 5', 'priority = 2', 1)\n"
        "head, one, two, three = text.split('\\n[[task]]\\n')\n"
        'four = \'id = "four"\\ntitle = "F"\\ndescription = "four"\\ndependencies = ["three"]\'\n'
        "text = '\\n[[task]]\\n'.join([head, three, one, four])",
    )
    assert said.status == 0, said.err
    assert "the plan is revision 2 now: dropped two, added four, one: priority 2, reordered" in said.err
    assert "bigtask confirm last" in said.err
    run = await run_of(folder)
    assert [(id, record.task.priority, record.task.dependencies) for id, record in run.tasks.items()] == [
        ("three", 5, ()),
        ("one", 2, ()),
        ("four", 5, ("three",)),
    ]
    assert said.json["revision"] == 2
    assert [one["op"] for one in said.json["edits"]] == ["drop", "add", "set", "reorder"]
    assert left(person) == []


async def test_a_task_that_is_dropped_or_merged_takes_nothing_with_it(person: Person) -> None:
    folder = await planned(person)
    said = await edit(
        person,
        "head, one, two, three = text.split('\\n[[task]]\\n')\n"
        'both = \'id = "both"\\ntitle = "B"\\ndescription = "b"\\nmerges = ["one", "three"]\\n\'\n'
        "text = '\\n[[task]]\\n'.join([head, two, both])",
    )
    assert "merged one, three into both" in said.err
    run = await run_of(folder)
    assert {id: record.task.dependencies for id, record in run.tasks.items()} == {
        "two": ("both",),
        "both": (),
    }


@pytest.mark.parametrize("change", ["", "text = ''", "text = '\\n'", "text += '# a note for myself\\n'"])
async def test_without_a_change_the_plan_stays_as_it_is(person: Person, change: str) -> None:
    folder = await planned(person)
    seq = (await run_of(folder)).seq
    said = await edit(person, change)
    assert (said.status, said.json["edits"], said.json["revision"]) == (0, [], 1)
    assert "the plan stays as it is" in said.err
    assert (await run_of(folder)).seq == seq
    assert left(person) == []


async def test_what_cannot_be_used_is_told_and_kept_and_can_be_taken_over_once_it_is_mended(
    person: Person,
) -> None:
    folder = await planned(person)
    said = await edit(
        person,
        "text = text.replace('dependencies = [\"one\"]', 'dependencies = [\"uno\"]')\n"
        "text = text.replace('priority = 5', 'priority = 50')",
    )
    assert (said.status, said.out) == (2, "")
    assert "  - task two depends on uno, which doesn't exist" in said.err
    assert "  - task one has priority 50: 1 (most urgent) to 10 is possible" in said.err
    (kept,) = left(person)
    assert f"bigtask edit last --from {kept}" in said.err
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    text = kept.read_text()
    assert text.startswith("#! task one has priority 50")
    kept.write_text(text.replace('"uno"', '"one", "three"').replace("= 50", "= 5"))
    again = await person.bigtask("edit", "last", "--from", str(kept))
    assert again.status == 0, again.err
    run = await run_of(folder)
    assert run.tasks["two"].task.dependencies == ("one", "three")


async def test_an_agent_that_nobody_has_is_refused_on_every_way(person: Person) -> None:
    folder = await planned(person)
    said = await edit(person, 'text = text.replace(\'id = "one"\', \'id = "one"\\nagent = "nobody"\')')
    assert "task one wants the agent nobody, which doesn't exist" in said.err
    async with OrchestratorModule(home=person.home.path) as module:
        with pytest.raises(InvalidPlan, match="wants the agent nobody"):
            await module.orchestrators.edit_plan(
                folder.id, [SetTask(id="one", fields={"agent": "nobody"})], revision=1
            )
    assert await revision(folder) == 1


async def test_what_somebody_else_edited_meanwhile_is_not_lost(person: Person) -> None:
    """The editor of one is still open when the other's plan is taken over."""
    folder = await planned(person)
    env = editor(
        person,
        "import subprocess, sys, os\n"
        "theirs = subprocess.run([sys.executable, '-m', 'bigtask', 'edit', 'last', '--print'],"
        " capture_output=True, text=True, check=True).stdout\n"
        "theirs = theirs.replace('title = \"three\"', 'title = \"Theirs\"')\n"
        "theirs = theirs.replace('title = \"one\"', 'title = \"Theirs\"')\n"
        "subprocess.run([sys.executable, '-m', 'bigtask', 'edit', 'last', '--from', '-'],"
        " input=theirs, text=True, check=True)\n"
        "text = text.replace('title = \"two\"', 'title = \"Mine\"')\n"
        "text = text.replace('title = \"one\"', 'title = \"Mine\"')",
    )
    said = await person.bigtask("edit", "last", env=env)
    assert said.status == 1, said.err
    assert "revision 1 was edited meanwhile" in said.err
    assert "both of you changed title of one: it is Theirs now, and yours is Mine" in said.err
    run = await run_of(folder)
    assert [record.task.title for record in run.tasks.values()] == ["Theirs", "two", "Theirs"]
    (kept,) = left(person)
    assert (await person.bigtask("edit", "last", "--from", str(kept))).status == 0
    run = await run_of(folder)
    assert [record.task.title for record in run.tasks.values()] == ["Mine", "Mine", "Theirs"]
    assert run.plan is not None
    assert run.plan.revision == 3


async def test_a_printed_plan_that_is_older_than_the_plan_is_refused(person: Person) -> None:
    folder = await planned(person)
    printed = await person.bigtask("edit", "last", "--print")
    file = person.place / "plan.toml"
    file.write_text(printed.out.replace("priority = 5", "priority = 1", 1))
    assert (await person.bigtask("edit", "last", "--from", str(file))).status == 0
    stale = await person.bigtask("edit", "last", "--from", str(file))
    assert (stale.status, stale.out) == (1, "")
    assert "revision 1 was edited meanwhile: read revision 2" in stale.err
    file.write_text(printed.out.replace("revision = 1", "revision = 9"))
    odd = await person.bigtask("edit", "last", "--from", str(file))
    assert odd.status == 2
    assert "put `revision = 2` back" in odd.err
    assert await revision(folder) == 2


async def test_tasks_at_work_stay_as_they_are_and_others_can_be_edited(person: Person) -> None:
    hanging = {**THREE, "turns": [{"when": {"task": "one"}, "steps": [{"do": "hang"}]}]}
    folder = await person.create(hanging, yes=True, max_workers=1)
    async with person.carrying_out(
        folder, lambda run, event: event.type == "worker:started" and bool(run.tasks)
    ):
        refused = await edit(person, "text = text.replace('title = \"one\"', 'title = \"x\"')")
        assert refused.status == 1
        assert "task one is running" in refused.err
        (person.place / "my editor.py.calls").unlink()
        done = await edit(
            person, "assert '# running\\nid = \"one\"' in text; text = text.replace('\"two\"', '\"zwei\"')"
        )
        assert done.status == 0, done.err
        assert done.json["held"] is True
    assert list((await run_of(folder)).tasks) == ["one", "zwei", "three"]


@pytest.mark.parametrize(
    ("visual", "said"),
    [
        ("false", "false ended with 1: nothing is changed"),
        ("/no/such/editor", "/no/such/editor can't be started"),
        ("'vi", "a quote without its end"),
        ("rm", "can't be read any more"),
        ('sh -c \'printf "\\377" > "$0"\'', "isn't UTF-8"),
    ],
)
async def test_an_editor_that_fails_changes_nothing(person: Person, visual: str, said: str) -> None:
    folder = await planned(person)
    env = {"VISUAL": visual, "TMPDIR": str(person.place / "tmp")}
    answer = await person.bigtask("edit", "last", env=env)
    assert answer.status in (1, 2)
    assert said in answer.err
    assert "Traceback" not in answer.err
    assert await revision(folder) == 1


async def test_a_run_without_a_plan_opens_no_editor(person: Person) -> None:
    await person.create(THREE)
    early = await edit(person, "raise SystemExit(9)")
    assert early.status == 1
    assert "edit isn't possible now" in early.err
    assert (await person.bigtask("edit", "last", "--print")).status == 1
    both = await person.bigtask("edit", "last", "--print", "--from", "x")
    assert both.status == 2
    missing = await person.bigtask("edit", "last", "--from", "/no/such/file")
    assert missing.status == 2
    assert not (person.place / "my editor.py.calls").exists()


async def test_an_editor_gets_nothing_that_belongs_to_agents(person: Person) -> None:
    await planned(person)
    env = editor(person, "import os, pathlib; pathlib.Path('seen').write_text(' '.join(sorted(os.environ)))")
    secret = {"ANTHROPIC_API_KEY": "k", "CLAUDE_CODE_X": "k", "MY_EDITOR_NEEDS": "it"}
    await person.bigtask("edit", "last", env={**env, **secret})
    seen = (person.place / "seen").read_text().split()
    assert "MY_EDITOR_NEEDS" in seen
    assert not {"ANTHROPIC_API_KEY", "CLAUDE_CODE_X"} & set(seen)
