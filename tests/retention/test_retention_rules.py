from __future__ import annotations

from typing import Any

import pytest

from bigtask.host import retention
from bigtask.host.retention import Discarded, Removal, Rules, Seen, What, due

DAY = 86_400_000
NOW = 1_000 * DAY
GIB = 1 << 30
KEEP = Rules(runs=50, days=30, gib=10, trash_days=7)


def run(id: str, *, days_ago: float | None = 1, **more: Any) -> Seen:
    ended = None if days_ago is None else int(NOW - days_ago * DAY)
    return Seen(id=id, ended_at=ended, **more)


def told(found: tuple[Removal, ...]) -> list[tuple[str, What]]:
    return [(removal.id, removal.what) for removal in found]


def discarded(days_ago: float) -> Discarded:
    return Discarded(name="x", since=int(NOW - days_ago * DAY), used=5)


def test_the_workspaces_of_ended_runs_go_and_nothing_of_others():
    runs = [run("c", days_ago=None, workspaces=9), run("b", workspaces=9), run("a")]
    assert due(runs, KEEP, NOW) == (Removal(id="b", what=What.WORKSPACES, used=9, why="the run is over"),)


def test_ignored_files_go_when_they_are_old_enough_each_by_itself():
    both = run("a", trash=(discarded(8), Discarded(name="y", since=NOW, used=1)))
    (removal,) = due([both], KEEP, NOW)
    assert (removal.what, removal.names, removal.used) == (What.TRASH, ("x",), 5)


def test_runs_beyond_the_number_go_the_oldest_first():
    rules = Rules(runs=2, days=30, gib=10, trash_days=7)
    assert told(due([run(name) for name in "abcd"], rules, NOW)) == [("b", What.RUN), ("a", What.RUN)]


def test_old_runs_go():
    found = due([run("b", days_ago=29), run("a", days_ago=31)], KEEP, NOW)
    assert [(r.id, r.why) for r in found] == [("a", "it ended more than 30 days ago")]


def test_runs_go_until_the_others_fit_without_counting_workspaces_that_go_anyhow():
    runs = [run("c", rest=6 * GIB), run("b", rest=3 * GIB, workspaces=20 * GIB), run("a", rest=4 * GIB)]
    assert told(due(runs, KEEP, NOW)) == [("b", What.WORKSPACES), ("a", What.RUN)]


@pytest.mark.parametrize("kept", [{"only_here": True}, {"trash": (discarded(1),)}, {"days_ago": None}])
def test_no_rule_takes_what_is_nowhere_else_or_has_just_been_put_aside(kept):
    nothing = Rules(runs=0, days=0, gib=1e-9, trash_days=7)
    assert told(due([run("a", **{"days_ago": 400, "rest": GIB, **kept})], nothing, NOW)) == []


def test_without_that_rule_it_would_go(monkeypatch):
    monkeypatch.setattr(retention, "_may_go", lambda run, rules, now: True)
    assert told(due([run("a", days_ago=400, only_here=True)], KEEP, NOW)) == [("a", What.RUN)]
