from __future__ import annotations

import pytest
from rich.console import Console

from bigtask.cli.event_line import MOODS, Line, Reach
from bigtask.cli.event_lines import line_of, printed
from bigtask.cli.live import lasting
from bigtask.core import events as e
from bigtask.core.edits import DropTask, MergeTasks, ReorderTasks, SetTask
from bigtask.core.states import Outcome, Phase, WaitingKind
from bigtask.core.values import CheckResult, Evidence, Report, Usage, Waiting
from core.world import started, task

WAITING = Waiting(
    id="w1", kind=WaitingKind.PERMISSION, question="May\x1b I?", options=("allow", "deny"), task_id="a"
)
EDITS = (DropTask(id="b"), SetTask(id="a", fields={"priority": 2}), ReorderTasks(ids=("a",)))
RED = CheckResult(command=("/bin/make", "test"), exit_status=1, output="no")
LOG, PIPE, ALL = Reach
OF_A = {"task_id": "a", "attempt": 1}


def line(data: e.Happened) -> Line:
    return line_of(started(task("a"), task("b", "a")).run, e.Event(9, 0, data))


@pytest.mark.parametrize(
    ("data", "told", "mood", "reach"),
    [
        (e.Started(by="ada"), "run|started|by ada", "quiet", PIPE),
        (e.PhaseChanged(phase=Phase.TASK_PLANNING), "planning|begins|", "quiet", PIPE),
        (
            e.PhaseChanged(phase=Phase.WORKER_EXECUTION, round=2),
            "workers|begins|repair round 2",
            "quiet",
            ALL,
        ),
        (
            e.PlanChanged(revision=2, edits=EDITS, by="ada"),
            "plan|changed|dropped b, a: priority 2, reordered by ada",
            "quiet",
            ALL,
        ),
        (e.Confirmed(revision=1, by="ada"), "plan|confirmed|by ada", "quiet", ALL),
        (
            e.Confirmed(revision=1, by="autoSpawn"),
            "plan|confirmed|by itself: the run was told not to ask",
            "quiet",
            ALL,
        ),
        (
            e.Progress(counts={"completed": 1, "total": 2}, percent=50),
            "run|progress|1 of 2 done",
            "quiet",
            PIPE,
        ),
        (e.WaitingRaised(waiting=WAITING), "a|needs you|May I? [allow / deny] (w1)", "amber", ALL),
        (e.Pausing(now=True, by="ada"), "run|pausing|at once by ada", "amber", ALL),
        (e.Paused(), "run|paused|", "amber", ALL),
        (e.Recovered(), "run|recovered|nothing lost", "amber", ALL),
        (e.Recovered(lost=2), "run|recovered|2 attempts lost, tried again", "amber", ALL),
        (e.Merged(files=("a", "b"), undone=True), "run|unmerged|2 files", "quiet", ALL),
        (
            e.Completed(outcome=Outcome.INCOMPLETE, reason="b failed"),
            "run|incomplete|b failed",
            "amber",
            PIPE,
        ),
        (e.Errored(reason="no plan"), "run|failed|no plan", "bad", PIPE),
        (e.Cancelled(by="ada"), "run|cancelled|by ada", "amber", PIPE),
        (e.WorkerSpawned(**OF_A, agent="x", session_name="s"), "a|starts|", "quiet", PIPE),
        (
            e.WorkerSpawned(task_id="a", attempt=2, agent="x", session_name="s"),
            "a|starts|attempt 2",
            "quiet",
            PIPE,
        ),
        (e.WorkerStarted(**OF_A, session_id="s", branch="b/a"), "a|started|on branch b/a", "quiet", LOG),
        (e.WorkerProgress(**OF_A, percent=40, action="reading"), "a|works|40 % reading", "quiet", PIPE),
        (
            e.WorkerMessage(**OF_A, offset=0, length=2000),
            "a|said|2,000 bytes of its transcript",
            "quiet",
            LOG,
        ),
        (
            e.WorkerReasked(**OF_A, number=1, errors=("x", "y")),
            "a|unusable|asked again (1): x; y",
            "amber",
            ALL,
        ),
        (e.WorkerChecked(**OF_A, results=(RED,)), "a|checked|failed: make test", "bad", PIPE),
        (e.WorkerChecked(**OF_A, results=()), "a|checked|0 checks passed", "quiet", PIPE),
        (e.WorkerFailed(**OF_A, reason="no"), "a|failed|no", "bad", ALL),
        (e.WorkerLost(**OF_A, reason="gone"), "a|lost|gone", "amber", ALL),
        (
            e.WorkerRetrying(task_id="a", attempt=2, delay_ms=1_500),
            "a|retrying|attempt 2 in 1.5 s",
            "amber",
            ALL,
        ),
        (e.HookRan(hook="onError", event=8), "hook|ran|onError", "quiet", PIPE),
        (
            e.HookRan(hook="onTasksGenerated", event=8, problem="refused the plan", output="too few"),
            "hook|refused|onTasksGenerated: too few",
            "amber",
            ALL,
        ),
        (
            e.HookRan(hook="onWorkerStart", event=8, task_id="a", problem="ended with 3", output="no\x1b\n"),
            "hook|failed|onWorkerStart of a ended with 3: no",
            "amber",
            ALL,
        ),
        (e.WorkerSkipped(task_id="a", reason="b failed"), "a|skipped|b failed", "amber", ALL),
        (
            e.WorkerLimited(**OF_A, kind="usage", reset_ms=90_000),
            "a|limited|usage for 1 min 30 s",
            "amber",
            ALL,
        ),
        (
            e.WorkerStalled(**OF_A, quiet_ms=61_000),
            "a|stalled|no sign of life for 1 min 1 s: it is asked what is going on",
            "amber",
            ALL,
        ),
        (e.WorkerWentOn(**OF_A, after="stall"), "a|goes on|it shows signs of life again", "quiet", ALL),
        (e.WorkerWentOn(**OF_A), "a|goes on|the limit is over", "quiet", ALL),
        (
            e.WorkerTimeUp(**OF_A, limit_ms=300_000),
            "a|time is up|after 5 min: it is asked what is done",
            "amber",
            ALL,
        ),
        (e.WorkerWaiting(**OF_A, waiting_id="w1"), "a|waits|for w1", "quiet", LOG),
        (e.WorkerFailed(task_id="@planning", attempt=1, reason="no"), "planning|failed|no", "bad", ALL),
    ],
)
def test_an_event_is_told_as(data: e.Happened, told: str, mood: str, reach: Reach) -> None:
    said = line(data)
    assert f"{said.who}|{said.what}|{said.detail.strip()}" == told
    assert (said.mood, said.reach) == (mood, reach)


@pytest.mark.parametrize("kind", list(e.TYPES.values()), ids=list(e.TYPES))
def test_every_type_of_event_has_a_mood_and_a_word(kind: type[e.Happened]) -> None:
    examples: dict[str, object] = {
        "template_id": "t", "template": {}, "request": "r", "phase": Phase.ANALYSIS, "analysis": {},
        "revision": 1, "edits": (MergeTasks(ids=("a", "b"), task=task("c")),), "counts": {}, "percent": 1,
        "waiting": WAITING, "waiting_id": "w1", "answer": "allow", "outcome": Outcome.COMPLETE, "reason": "x",
        "task_id": "a", "attempt": 1, "agent": "x", "session_name": "s", "session_id": "s", "offset": 0,
        "length": 1, "report": Report(data={}), "number": 1, "errors": (), "results": (), "files": (),
        "evidence": Evidence(), "id": "c1", "hook": "onError", "event": 8, "how": "done",
        "changed": ("a hook",), "usage": Usage(), "used": Usage(), "said": "$8 of $10", "instead": "y",
    }  # fmt: skip
    run = started(task("a")).run
    examples |= {"source": run.created.source, "settings": run.settings, "plan": run.plan}
    fields = {name: examples[name] for name in kind.__struct_fields__ if name in examples}
    told = line_of(run, e.Event(9, 0, kind(**fields)))
    assert told.mood in MOODS
    assert told.what
    assert len(told.what) <= 12


def test_what_was_merged_and_how_long_it_took_stand_with_the_completed_task() -> None:
    world = started(task("a"))
    world.open("a").pass_time(12_000).report("a").merge("a", "x.md", "y.md")
    data = world.last(e.WorkerCompleted)
    assert line_of(world.run, e.Event(9, 0, data)).detail.startswith("2 files, +0 −0 · 12 s")


def test_words_of_agents_are_one_line_that_moves_nothing() -> None:
    told = line(e.WorkerFailed(**OF_A, reason="a\x1b[2J\r\nb\u202e" + "x" * 5000 + "end"))
    assert told.detail.startswith("a[2J b")
    assert told.detail.endswith("end")
    assert len(told.detail) <= 600


def test_printed_lines_are_in_columns() -> None:
    run = started(task("a")).run
    told = [printed(line(data), 0, run) for data in (e.Paused(), e.WorkerFailed(**OF_A, reason="no"))]
    assert told[0][9:] == "run           paused"
    assert told[1][9:] == "a             failed     no"


@pytest.mark.parametrize("width", [40, 80, 160])
def test_above_the_live_view_trouble_takes_a_few_rows_and_all_else_one(width: int) -> None:
    run = started(task("a-long-name")).run
    for mood in MOODS:
        console = Console(width=width, force_terminal=True, color_system=None)
        told = Line(
            who="a-long-name", what="confirmed", detail="begin " + "long words " * 60 + "end", mood=mood
        )
        with console.capture() as captured:
            console.print(lasting(told, run, width))
        rows = captured.get().splitlines()
        assert max(map(len, rows)) <= width
        assert len(rows) == 1 if mood in ("good", "quiet") else 2 <= len(rows) <= 5
        assert rows[0].split()[1:3] == ["a-long-name", "confirmed"]
        assert ("end" in captured.get()) == (mood in ("bad", "amber"))


def test_an_attempt_that_never_began_isn_t_called_lost() -> None:
    world = started(task("a"))
    data = e.WorkerLost(task_id="a", attempt=1, reason="a person is asked first")
    world.record(data)
    told = line_of(world.run, e.Event(9, 0, data))
    assert (told.what, told.detail, told.mood) == ("put off", "a person is asked first", "quiet")
