from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from bigtask.cli.asking import Question
from bigtask.cli.picture import Slots, bar, foot, headline, picture
from bigtask.cli.plan_table import plan_table
from bigtask.core import commands as c
from bigtask.core import observations as o
from bigtask.core.values import Check
from core.world import World, planned, started, task

SIZES = [(40, 10), (80, 24), (160, 50)]


def asking(world: World, id: str) -> World:
    world.open(id)
    world.see(o.Asked(**world.who(id), request_id=id, question=f"May {id} go?", options=("allow", "deny")))
    return world


def shown(world: World, size: tuple[int, int], foot: Sequence[Text] = ()) -> list[str]:
    """The rows as a terminal of that size has them."""
    console = Console(width=size[0], height=size[1], force_terminal=True, color_system=None)
    rows = Slots().rows(world.run)
    lines = picture(world.run, rows, now=world.now, elapsed_ms=65_000, size=size, foot=foot)
    with console.capture() as captured:
        for line in lines:
            console.print(line, no_wrap=True, overflow="ellipsis", crop=True)
    return captured.get().splitlines()


def busy(number: int) -> World:
    world = started(*(task(f"task-{n}") for n in range(number)), max_workers=number)
    for n in range(number):
        world.open(f"task-{n}")
        world.see(o.Progressed(**world.who(f"task-{n}"), percent=50, action="writing " + "long 長い題 " * 20))
    return world


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("number", [1, 12, 64])
def test_no_row_is_wider_and_no_picture_higher_than_the_terminal(size: tuple[int, int], number: int) -> None:
    below = list(foot(None, typed=None, said="x" * 300, width=size[0]))
    rows = shown(busy(number), size, below)
    assert max(map(cell_len, rows)) <= size[0]
    assert len(rows) < size[1]
    if number > size[1]:
        assert any("more at work" in row for row in rows)


def test_where_not_all_fit_those_who_need_somebody_are_shown_first() -> None:
    world = asking(busy(30), "task-29")
    rows = shown(world, (80, 10))
    assert "needs you: May task-29 go?" in rows[3]


@pytest.mark.parametrize(
    ("world", "said"),
    [
        (World(), "starting"),
        (started(task("a"), task("b"), task("c"), max_workers=1), "0 of 3 done, 1 working"),
        (started(task("a"), task("b", "a")).complete("a"), "1 of 2 done, 1 working"),
        (asking(started(task("a"), task("b")), "a"), "0 of 2 done, 1 working, 1 needs you"),
        (started(task("a"), task("b", "a"), max_retries=0).fall("a"), "0 of 2 done, 1 failed, 1 skipped"),
    ],
)
def test_the_headline_counts_what_is_done_what_works_and_what_needs_somebody(world: World, said: str) -> None:
    assert headline(world.run) == said


def test_a_pause_stands_in_the_headline() -> None:
    world = planned(task("a"))
    world.ask(c.Pause())
    assert headline(world.run) == "0 of 1 done, 1 needs you, paused"


def test_a_task_keeps_its_row_while_others_end_and_a_new_one_takes_a_free_row() -> None:
    world = started(*(task(id) for id in "abcd"), max_workers=3)
    slots = Slots()
    assert list(slots.rows(world.run)) == ["a", "b", "c"]
    world.complete("b")
    assert list(slots.rows(world.run)) == ["a", "d", "c"]
    world.complete("a")
    assert list(slots.rows(world.run)) == [None, "d", "c"]
    world.complete("c")
    assert list(slots.rows(world.run)) == [None, "d"]


@pytest.mark.parametrize(("estimate", "said"), [(0.2, "<1 min left"), (4, "≈2–8 min left"), (None, "1:05\n")])
def test_the_time_left_is_a_range_and_under_a_minute_says_so(estimate: float | None, said: str) -> None:
    world = started(task("a", estimated_minutes=estimate)) if estimate else planned(task("a"))
    assert said in "\n".join(shown(world, (80, 24)))


@pytest.mark.parametrize(
    ("percent", "drawn"),
    [
        (None, "────"),
        (0, "────"),
        (1, "────"),
        (50, "━━──"),
        (62.5, "━━╸─"),
        (100, "━━━━"),
        (300, "━━━━"),
        (-5, "────"),
    ],
)
def test_a_bar_is_always_as_wide_as_it_is(percent: float | None, drawn: str) -> None:
    assert bar(percent, 4, "green").plain == drawn


def below(**more: Any) -> list[str]:
    asked = {"question": None, "typed": "", "said": "", "width": 40, **more}
    return [line.plain for line in foot(asked.pop("question"), **asked)]


def test_a_question_is_folded_to_four_rows_and_stands_above_what_is_typed() -> None:
    question = Question(who="core", text="May I " + "run it " * 60, keys="[1] allow", id="w1", more=2)
    rows = below(question=question, typed="al", said="type a number")
    assert len(rows) == 8
    assert rows[1].startswith("core: May I run it")
    assert rows[4].endswith(" …")
    assert rows[5:] == ["[1] allow", "type a number", "› al "]
    assert max(map(len, rows)) <= 40


def test_where_nothing_can_be_typed_only_the_question_is_shown() -> None:
    question = Question(who="run", text="paused", keys="[r]esume", id="")
    assert below(question=question, typed=None) == ["", "run: paused"]
    assert below() == []
    assert below(said="no") == ["", "no"]


@pytest.mark.parametrize("size", SIZES)
def test_a_plan_fits_the_terminal_with_its_warnings_and_what_it_takes(size: tuple[int, int]) -> None:
    world = planned(
        task("core", scope=("src/長い題名.py", "src/b.py"), estimated_minutes=0.5),
        task("docs", "core", scope=("docs",), priority=2, estimated_minutes=3),
    )
    console = Console(width=size[0], force_terminal=True, color_system=None)
    with console.capture() as captured:
        console.print(plan_table(world.run, size[0]))
    rows = captured.get().splitlines()
    assert max(map(cell_len, rows)) <= size[0]
    assert any(row.startswith("2 tasks on up to 2 workers") for row in rows[-2:])
    if size[0] >= 80:
        assert rows[2].split()[-3:] == ["5", "<1", "min"]
        assert rows[3].split()[-3:] == ["2", "3", "min"]


def test_a_plan_shows_every_command_whole_that_confirming_it_allows() -> None:
    long = ("make", *(f"target-{number}" for number in range(30)))
    world = planned(
        task("a", checks=(Check(command=("make", "test")), Check(command=long))),
        task("b", checks=(Check(command=("make", "test")), Check(claim="all is well"))),
    )
    console = Console(width=60, force_terminal=True, color_system=None)
    with console.capture() as captured:
        console.print(plan_table(world.run, 60))
    text = " ".join(captured.get().split())
    assert "runs: make test (check of a, b, before the work is merged)" in text
    assert " ".join(long) in text
    assert "all is well" not in text
