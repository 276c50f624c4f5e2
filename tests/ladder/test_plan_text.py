from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bigtask.cli.noted import with_notes
from bigtask.cli.plan_text import read, text_of
from bigtask.core.values import Plan, Task
from bigtask.errors import InvalidPlan
from core.world import planned, started, task

from .plans import hard_plans, some_plans

WORLD = planned(task("core", description="one\ntwo"), task("docs", "core", scope=("docs/",), priority=2))


def written(*blocks: str) -> str:
    return "revision = 1\n" + "\n".join(f"[[task]]\n{block}\n" for block in blocks)


WHOLE = 'id = "a"\ntitle = "A"\ndescription = "do a"'


@given(plan=hard_plans | some_plans)
def test_a_plan_that_nobody_changed_comes_back_as_it_was(plan: Plan) -> None:
    back = read(text_of(WORLD.run, plan))
    assert back.tasks == plan.tasks
    assert (back.revision, back.merged) == (plan.revision, {})


@given(plan=hard_plans)
@settings(max_examples=50)
def test_editors_that_take_blanks_from_the_ends_of_lines_or_end_them_with_cr_lf_change_nothing(
    plan: Plan,
) -> None:
    text = text_of(WORLD.run, plan)
    stripped = "\n".join(line.rstrip(" \t") for line in text.split("\n"))
    assert read(stripped).tasks == plan.tasks
    assert read(text.replace("\n", "\r\n")).tasks == plan.tasks


@given(plan=hard_plans, notes=st.lists(st.text(alphabet=st.characters(codec="utf-8")), max_size=3))
@settings(max_examples=50)
def test_notes_stand_at_the_top_and_say_nothing_about_the_plan(plan: Plan, notes: list[str]) -> None:
    text = text_of(WORLD.run, plan)
    noted = with_notes(text, notes)
    assert read(noted).tasks == plan.tasks
    assert with_notes(noted, ["another"]).count("#! another\n") == 1
    assert with_notes(noted, ()) == text


def test_a_line_of_a_description_is_no_note() -> None:
    plan = Plan(revision=1, tasks=(Task(id="a", title="A", description="#! bin\n#! bash"),))
    assert read(with_notes(text_of(WORLD.run, plan), ["wrong"])).tasks == plan.tasks


def test_the_text_explains_itself_and_says_what_became_of_tasks() -> None:
    world = started(task("a"), task("b"), max_workers=1)
    text = text_of(world.run)
    assert '[[task]]\n# running\nid = "a"' in text
    assert '[[task]]\nid = "b"' in text
    for word in ("priority", "merges", "dependencies", "checks", "empty file"):
        assert word in text
    assert max(len(line) for line in text.splitlines()) <= 110


def test_what_cannot_be_seen_is_written_out() -> None:
    plan = Plan(
        revision=1, tasks=(Task(id="a", title="safe\u202eelif", description="\x1b[2J\n\u200b\u2028"),)
    )
    text = text_of(WORLD.run, plan)
    assert "\\u202e" in text
    assert "\\u2028" in text
    assert not set(text) & {"\u2028", "\u202e", "\x1b", "\u200b"}
    assert read(text).tasks == plan.tasks


def test_a_merge_is_written_into_the_task_that_takes_the_place() -> None:
    back = read(written(WHOLE + '\nmerges = ["x", "y"]'))
    assert back.merged == {"a": ("x", "y")}
    assert back.tasks == (Task(id="a", title="A", description="do a"),)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[[task", "isn't TOML"),
        ("a = " + "[" * 5000, "nested too deeply"),
        ("revision = 1\ntask = 3", "each task begins with a line [[task]]"),
        ("revision = 1\n[task]\nid = 'a'", "each task begins with a line [[task]]"),
        ("[[task]]\n" + WHOLE, "the line `revision = …` is missing"),
        ("revision = 1\ntitel = 'x'\n", "titel stands outside of every [[task]]"),
        (written("title = 'x'\ndescription = 'y'"), "the first task has no id"),
        (written(WHOLE, WHOLE, WHOLE, "title = 'x'\ndescription = 'y'"), "the 4th task has no id"),
        (written("id = 'a'"), "task a has no title"),
        (written(WHOLE + "\nprioritty = 1"), "a field prioritty, which nobody knows: is it priority?"),
        (written(WHOLE + "\nxyz = 1"), "which nobody knows (there are id, title"),
        (
            written(WHOLE + "\npriority = 'high'"),
            "priority must be a whole number, 1 (most urgent) to 10, not 'high'",
        ),
        (written(WHOLE + "\npriority = true"), "priority must be"),
        (written(WHOLE + "\npriority = 99999999999999999999"), "priority must be"),
        (written(WHOLE + "\nestimatedMinutes = nan"), "estimatedMinutes must be a number"),
        (written(WHOLE + "\nestimatedMinutes = -1.5"), "estimatedMinutes must be a number"),
        (written(WHOLE + "\nestimatedTokens = 1.5"), "estimatedTokens must be a whole number"),
        (
            written(WHOLE + "\nscope = 'docs'"),
            'scope must be a list of texts, as ["one", "two"], not \'docs\'',
        ),
        (written(WHOLE + "\ndependencies = [1]"), "dependencies must be a list"),
        (written(WHOLE + "\nmerges = ['x']"), "merges must be a list of two or more ids"),
        (written(WHOLE + "\nmerges = ['x', 'x']"), "merges must be"),
        (written(WHOLE + "\nchecks = [{command = 'make'}]"), "checks must be a list of"),
        (written(WHOLE + "\nchecks = [{command = ['a'], claim = 'b'}]"), "checks must be a list of"),
        (written(WHOLE + "\nmodel = 2024-01-01"), "model must be a text in quotes"),
    ],
)
def test_what_cannot_be_read_is_a_sentence(text: str, said: str) -> None:
    with pytest.raises(InvalidPlan) as refused:
        read(text)
    assert any(said in problem for problem in refused.value.problems), refused.value.problems


def test_everything_that_is_wrong_is_said_at_once() -> None:
    with pytest.raises(InvalidPlan) as refused:
        read("x = 1\n[[task]]\nid = 3\npriority = ''\n[[task]]\n")
    assert len(refused.value.problems) == 9


@given(text=st.text(max_size=200) | st.binary(max_size=200).map(lambda data: data.decode("latin-1")))
def test_no_text_is_anything_but_a_plan_or_refused(text: str) -> None:
    for each in (text, "revision = 1\n" + text, "revision = 1\n[[task]]\n" + text):
        with suppress(InvalidPlan):
            assert read(each).revision == 1
