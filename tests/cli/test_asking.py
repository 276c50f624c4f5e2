from __future__ import annotations

import pytest

from bigtask.cli.asking import command_of, question_of, to_edit
from bigtask.core import commands as c
from bigtask.core import observations as o
from bigtask.core.edits import DropTask, SetTask
from bigtask.errors import InvalidInput
from core.world import World, planned, started, task


def about_a_plan() -> World:
    return planned(task("core"), task("docs"), task("done"))


def asked(*options: str) -> World:
    world = started(task("a"), task("b"), max_workers=2)
    for id in ("a", "b"):
        world.open(id)
        world.see(o.Asked(**world.who(id), request_id=id, question=f"May {id}?", options=options))
    return world


def edit(*edits: DropTask | SetTask) -> c.EditPlan:
    return c.EditPlan(revision=1, edits=edits, by="ada")


@pytest.mark.parametrize(
    ("typed", "wanted"),
    [
        ("c", c.Confirm(revision=1, by="ada")),
        (" Confirm ", c.Confirm(revision=1, by="ada")),
        ("q", c.Answer(waiting_id="w1", answer="cancel", by="ada")),
        ("d docs", edit(DropTask(id="docs"))),
        ("drop 1", edit(DropTask(id="core"))),
        ("s c", c.SkipTask(task_id="core", by="ada")),
        ("p done 1", edit(SetTask(id="done", fields={"priority": 1}))),
        ("w1 c", c.Confirm(revision=1, by="ada")),
    ],
)
def test_what_is_typed_about_a_plan_becomes_a_command(typed: str, wanted: c.AnyCommand) -> None:
    assert command_of(about_a_plan().run, typed, who="ada") == wanted


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("", "type c, e, d TASK"),
        ("d", "type c, e, d TASK"),
        ("c now", "type c, e, d TASK"),
        ("d x", "has no task 'x'"),
        ("d do", "more than one task 'do'"),
        ("d 4", "has no task '4'"),
        ("d 0", "has no task '0'"),
        ("p docs 11", "from 1"),
        ("p docs soon", "from 1"),
    ],
)
def test_what_cannot_be_done_to_a_plan_is_a_sentence(typed: str, said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        command_of(about_a_plan().run, typed, who="ada")


def test_e_opens_an_editor_for_a_plan_and_for_an_answer_by_hand() -> None:
    world = about_a_plan()
    assert [to_edit(world.run, typed) for typed in ("e", "Edit", "w1 e")] == [world.run.waiting["w1"]] * 3
    assert [to_edit(world.run, typed) for typed in ("", "e core", "c", "w9 e")] == [None] * 4
    world.ask(c.Pause())
    assert to_edit(world.run, "e") is None
    answer = asked("edit", "retry").run
    assert [to_edit(answer, typed) for typed in ("e", "1", "w1 edit")] == [answer.waiting["w1"]] * 3
    assert [to_edit(answer, typed) for typed in ("", "2", "r", "edit it")] == [None] * 4
    assert to_edit(asked("end", "edit").run, "e") is None


@pytest.mark.parametrize(
    ("typed", "id", "answer"),
    [
        ("1", "w1", "allow"),
        ("2", "w1", "allow always"),
        ("d", "w1", "deny"),
        ("allow", "w1", "allow"),
        ("Allow A", "w1", "allow always"),
        ("w2 3", "w2", "deny"),
    ],
)
def test_a_question_is_answered_by_number_or_by_the_beginning_of_an_answer(
    typed: str, id: str, answer: str
) -> None:
    run = asked("allow", "allow always", "deny").run
    assert command_of(run, typed, who="ada") == c.Answer(waiting_id=id, answer=answer, by="ada")


@pytest.mark.parametrize(
    ("typed", "id", "answer", "scope"),
    [
        ("1 run", "w1", "allow", "run"),
        ("a Task", "w1", "allow", "task"),
        ("w2 2 run", "w2", "deny", "run"),
    ],
)
def test_an_answer_holds_for_longer_where_that_is_added(typed: str, id: str, answer: str, scope: str) -> None:
    answered = c.Answer(waiting_id=id, answer=answer, scope=scope, by="ada")
    assert command_of(asked("allow", "deny").run, typed, who="ada") == answered


def test_what_can_t_hold_for_longer_is_no_answer() -> None:
    world = started(task("a"))
    world.open("a")
    long = {"tool": "Bash", "subject": "x" * 3_000}
    world.see(o.Asked(**world.who("a"), request_id="a", question="May I?", options=("allow", "deny"), **long))
    question = question_of(world.run)
    assert question is not None
    assert question.keys == "[1] allow  [2] deny"
    with pytest.raises(InvalidInput, match="a number from 1 to 2"):
        command_of(world.run, "1 run", who="ada")


@pytest.mark.parametrize("typed", ["", "0", "4", "al", "yes", "w9 1", "1 ever", "run"])
def test_what_is_no_answer_is_told_with_what_is(typed: str) -> None:
    with pytest.raises(InvalidInput, match="a number from 1 to 3"):
        command_of(asked("allow", "allow always", "deny").run, typed, who="ada")


def test_a_paused_run_is_only_asked_whether_it_goes_on() -> None:
    world = about_a_plan()
    world.ask(c.Pause())
    assert command_of(world.run, "r", who="ada") == c.Resume(by="ada")
    with pytest.raises(InvalidInput, match="r goes on"):
        command_of(world.run, "c", who="ada")
    question = question_of(world.run)
    assert question is not None
    assert question.text == "paused"


def test_the_question_is_that_which_waits_longest_and_says_how_many_come_after_it() -> None:
    question = question_of(asked("allow", "de\x1bny").run)
    assert question is not None
    assert (question.id, question.who, question.text, question.more) == ("w1", "a", "May a?", 1)
    assert question.keys == "[1] allow  [2] deny"


def test_a_permission_says_for_how_long_it_can_be_given() -> None:
    question = question_of(asked("allow", "deny").run)
    assert question is not None
    assert question.keys == "[1] allow  [2] deny  or for longer: 1 task, 1 run (covers May a?)"


def test_a_plan_that_was_edited_is_asked_about_as_it_is_by_now() -> None:
    world = about_a_plan()
    world.ask(edit(DropTask(id="docs")))
    question = question_of(world.run)
    assert question is not None
    assert question.text == "start 2 tasks as planned?"


def test_where_nothing_waits_nothing_is_asked_and_nothing_can_be_answered() -> None:
    run = started(task("a")).run
    assert question_of(run) is None
    with pytest.raises(InvalidInput, match="nothing waits"):
        command_of(run, "1", who="ada")
