"""When what a project brings for an agent is loaded, and when a person is asked first."""

from __future__ import annotations

import pytest

from bigtask.core import commands as c
from bigtask.core import observations as o
from bigtask.core.phases import preparation, trust
from bigtask.core.states import Outcome, TaskState, WaitingKind
from bigtask.core.values import Brought, Waiting
from core.world import World, started, task

HOOK = Brought(path=".claude/settings.json", digest="1", what=("runs at Stop: `x`", "sets model: `y`"))
TEXT = Brought(path="CLAUDE.md", digest="2", what=("instructions, 3 lines",), change="changed")


@pytest.fixture
def world() -> World:
    return started(task("a"), task("b"), yes=False, auto_spawn=True)


def brings(world: World, id: str, digest: str = "d1", *brought: Brought) -> None:
    world.see(o.Brings(**world.who(id), agent="claude", digest=digest, brought=brought or (HOOK, TEXT)))


def loads(world: World, id: str, digest: str = "d1", *, approved: bool = False) -> bool | None:
    return trust.loads(world.run, id, world.who(id)["attempt"], digest, approved=approved)


def only(world: World) -> Waiting:
    (waiting,) = world.run.waiting.values()
    return waiting


def test_the_first_attempt_that_finds_something_asks_and_nothing_starts_meanwhile(world: World) -> None:
    brings(world, "a")
    brings(world, "b")
    waiting = only(world)
    assert waiting.kind is WaitingKind.TRUST
    assert waiting.options == ("approve", "without", "stop")
    assert waiting.details["subject"] == "trust:d1"
    assert (
        "CLAUDE.md [changed since you approved] (instructions, 3 lines), .claude/settings.json"
        in waiting.question
    )
    assert waiting.details["brings"] == (
        ".claude/settings.json: runs at Stop: `x`",
        ".claude/settings.json: sets model: `y`",
        "CLAUDE.md [changed since you approved]: instructions, 3 lines",
    )
    assert preparation.asks(world.run)
    assert world.live() == []
    assert world.state("a") is TaskState.READY


@pytest.mark.parametrize(("answer", "decided"), [("approve", True), ("without", False)])
def test_the_answer_holds_for_that_content(world: World, answer: str, decided: bool) -> None:
    brings(world, "a")
    assert loads(world, "b") is None
    world.ask(c.Answer(waiting_id=only(world).id, answer=answer))
    assert world.live() == ["a", "b"]
    assert loads(world, "a") is decided
    assert loads(world, "b") is decided
    assert loads(world, "b", "d2") is (None if decided else False)


def test_stop_ends_the_run(world: World) -> None:
    brings(world, "a")
    world.ask(c.Answer(waiting_id=only(world).id, answer="stop"))
    assert world.run.outcome is Outcome.CANCELLED


def test_what_work_may_have_changed_is_never_loaded_nor_asked_about(world: World) -> None:
    assert loads(world, "b") is None
    world.open("a").complete("a")
    assert loads(world, "b") is False
    assert loads(world, "b", approved=True) is True


def test_a_session_that_goes_on_is_not_asked_about_what_it_wrote(world: World) -> None:
    world.open("b")
    assert loads(world, "b") is False
    assert loads(world, "a") is None


def test_whoever_was_not_asked_is_asked_where_the_first_such_session_comes_late(world: World) -> None:
    world.complete("a")
    assert loads(world, "b") is None


@pytest.mark.parametrize(
    ("settings", "untouched", "changed"),
    [
        ({"yes": True}, False, False),
        ({"project_rules": True, "yes": True}, True, False),
        ({"project_rules": True, "yes": False}, True, False),
        ({"project_rules": False, "yes": False}, False, False),
    ],
)
def test_whoever_has_decided_beforehand_is_not_asked(
    settings: dict[str, bool], untouched: bool, changed: bool
) -> None:
    world = started(task("a"), task("b"), auto_spawn=True, **settings)
    assert loads(world, "b") is untouched
    assert loads(world, "b", approved=True) is (settings.get("project_rules") is not False)
    world.complete("a")
    assert loads(world, "b") is changed


def test_an_attempt_that_nobody_knows_is_asked_about() -> None:
    assert (
        trust.loads(started(task("a"), yes=False, auto_spawn=True).run, "unknown", 1, "d", approved=False)
        is None
    )


def test_a_question_about_an_attempts_tampering_is_another_one(world: World) -> None:
    world.see(o.Tampered(**world.who("a"), changed=("the hook x",)))
    assert only(world).kind is WaitingKind.TRUST
    assert not trust.asks(world.run)


def test_long_lists_are_cut() -> None:
    many = tuple(Brought(path=f"f{n}", digest="", what=("x",)) for n in range(300))
    lines = trust.sentences(many)
    assert (len(lines), lines[-1]) == (201, "and 100 more")
    assert trust.summary(many) == "f0 (x), f1 (x), f2 (x), f3 (x) and 296 more"
