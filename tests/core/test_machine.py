"""Whatever people ask and the world reports, in any order: only legal moves, nothing lost, nothing stuck."""

from __future__ import annotations

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from bigtask.core import commands as c
from bigtask.core import observations as o
from bigtask.core.edits import AddTask, DropTask, MergeTasks, ReorderTasks, SetTask
from bigtask.core.recovery import recover
from bigtask.core.states import Phase, TaskState, WaitingKind
from bigtask.core.values import (
    PLANNING,
    RESERVED,
    CheckResult,
    Evidence,
    InConflict,
    Report,
    Source,
    Task,
    Usage,
)
from bigtask.errors import BigtaskError
from bigtask.host.snapshot import decoded, encoded
from core.world import World, phases, queued, refolded, require_consistent, require_same, written
from promises.scale import FULL

IDS = ("a", "b", "c", "d", "e")
ids = st.sampled_from((*IDS, *RESERVED, "nobody"))
scopes = st.sampled_from([(), (), ("x",), ("x/y",), ("z",)])
some_ids = st.lists(st.sampled_from(IDS), max_size=2, unique=True).map(tuple)
usages = st.builds(Usage, input_tokens=st.integers(0, 9), cost_usd=st.sampled_from([0.0, 0.5]))


def one_task(id: str, needs: tuple[str, ...]) -> st.SearchStrategy[Task]:
    return st.builds(
        Task,
        id=st.just(id),
        title=st.just(id),
        dependencies=st.just(needs),
        scope=scopes,
        priority=st.integers(1, 3),
    )


@st.composite
def plans(draw: Any) -> list[Task]:
    count = draw(st.integers(1, len(IDS)))
    return [
        draw(
            one_task(
                id, tuple(sorted(draw(st.sets(st.sampled_from(IDS[:place]), max_size=2)) if place else ()))
            )
        )
        for place, id in enumerate(IDS[:count])
    ]


edits = st.one_of(
    st.tuples(st.sampled_from(IDS), some_ids)
    .flatmap(lambda drawn: one_task(*drawn))
    .map(lambda t: AddTask(task=t)),
    st.builds(DropTask, id=st.sampled_from(IDS)),
    st.builds(
        SetTask,
        id=st.sampled_from(IDS),
        fields=st.one_of(
            st.fixed_dictionaries({"dependencies": some_ids}),
            st.fixed_dictionaries({"priority": st.integers(0, 4)}),
        ),
    ),
    st.builds(MergeTasks, ids=some_ids, task=one_task("a", ())),
    st.builds(ReorderTasks, ids=some_ids),
)
modifications = st.builds(c.Modification, skip=st.booleans(), priority=st.none() | st.integers(1, 10))


class Life(RuleBasedStateMachine):
    @initialize(
        enabled=st.sets(st.sampled_from(sorted(set(Phase) - {Phase.ANALYSIS}))),
        options=st.fixed_dictionaries(
            {
                "agent": st.sampled_from(["plain", "patient"]),
                "max_workers": st.integers(1, 3),
                "max_retries": st.integers(0, 2),
                "retry_delay_ms": st.sampled_from([0, 1_000]),
                "accept_partial": st.booleans(),
                "on_conflict": st.sampled_from(["ask", "resolve"]),
                "auto_fix": st.booleans(),
                "yes": st.booleans(),
                "max_budget_usd": st.sampled_from([None, None, 1.0]),
                "isolation": st.sampled_from(["worktree", "worktree", "none"]),
            }
        ),
        dirty=st.booleans(),
        tasks=plans(),
        at_once=st.integers(0, 9),
    )
    def begin(self, enabled, options, dirty, tasks, at_once):
        on = {Phase.TASK_PLANNING, Phase.WORKER_EXECUTION} if at_once else enabled
        source = Source(kind="git", cwd="/p", root="/p", dirty=("M x",) if dirty else ())
        self.tasks = tasks
        self.world = World(source=source, check=False, phases=phases(*on, *enabled), **options)
        if at_once:
            self.world.ask(c.Start())
            self.plan()

    def ask(self, command: c.AnyCommand) -> None:
        before = self.world.run.seq
        try:
            self.world.ask(command)
        except BigtaskError:
            assert self.world.run.seq == before

    def attempt(self, data: Any) -> dict[str, Any]:
        """Mostly one that is at work, now and then any other."""
        run = self.world.run
        at_work = list((run.live | run.integrating).items())
        if at_work and data.draw(st.integers(0, 9)):
            id, number = data.draw(st.sampled_from(at_work))
        else:
            id, number = data.draw(ids), data.draw(st.integers(0, 3))
        return {"task_id": id, "attempt": number}

    # People

    @rule(revision=st.none() | st.just(1), skip=st.dictionaries(ids, modifications, max_size=2))
    def confirm(self, revision, skip):
        self.ask(c.Start())
        self.ask(c.Confirm(revision=revision, modifications=skip))

    @rule(off=st.sampled_from([0, 0, 0, 1]), made=st.lists(edits, min_size=1, max_size=2).map(tuple))
    def edit(self, off, made):
        plan = self.world.run.plan
        self.ask(c.EditPlan(revision=(plan.revision if plan else 1) + off, edits=made))

    @precondition(lambda self: self.world.run.waiting)
    @rule(data=st.data())
    def answer(self, data):
        waiting = data.draw(st.sampled_from(list(self.world.run.waiting.values())))
        answer = data.draw(st.sampled_from((*waiting.options, "whatever")))
        answered = {"tasks": [written(task) for task in self.tasks]} if waiting.task_id == PLANNING else {}
        answered["status"] = data.draw(st.sampled_from(["completed", "partial", "failed", "passed"]))
        self.ask(c.Answer(waiting_id=waiting.id, answer=answer, data=answered if answer == "edit" else None))

    @rule(now=st.booleans())
    def pause(self, now):
        self.ask(c.Pause(now=now))

    @rule()
    def resume(self):
        self.ask(c.Resume())

    @rule(really=st.integers(0, 4))
    def cancel(self, really):
        if not really:
            self.ask(c.Cancel())

    @rule(id=st.none() | ids)
    def retry(self, id):
        self.ask(c.Retry(task_id=id))

    @rule(id=ids, kind=st.sampled_from([c.CancelTask, c.SkipTask, c.ResumeTask]))
    def of_one_task(self, id, kind):
        self.ask(kind(task_id=id))

    # The world

    @precondition(lambda self: PLANNING in self.world.run.live)
    @rule()
    def plan(self):
        if PLANNING in self.world.run.live:
            self.world.report(PLANNING, tasks=[written(task) for task in self.tasks])

    @rule(
        data=st.data(),
        usage=usages,
        status=st.sampled_from(["completed", "completed", "partial", "failed", "timeout"]),
    )
    def report(self, data, usage, status):
        who = self.attempt(data)
        answer = {"status": status, "tasks": [written(task) for task in self.tasks]}
        self.world.see(o.Reported(**who, report=Report(data=answer), usage=usage))

    @rule(data=st.data(), jitter=st.floats(0, 1, exclude_max=True), usage=usages)
    def end(self, data, jitter, usage):
        who = self.attempt(data)
        kind = data.draw(
            st.sampled_from([o.Failed, o.TimedOut, o.Crashed, o.Interrupted, o.Unusable, o.Refused])
        )
        more: dict[str, Any] = {"reason": "it broke"}
        if kind is o.Interrupted:
            more = {}
        elif kind is o.Unusable:
            more = {"errors": ("x",), "answer": "?"}
        if kind is not o.Refused:
            more["usage"] = usage
        self.world.see(kind(**who, **more), jitter=jitter)

    @rule(data=st.data())
    def notice(self, data):
        who = self.attempt(data)
        seen = data.draw(
            st.sampled_from(
                [
                    o.Opened(**who, session_id="s"),
                    o.Progressed(**who, percent=1.0),
                    o.Spoke(**who, offset=0, length=1),
                    o.Reasked(**who, number=1, errors=("x",)),
                    o.Asked(**who, request_id="r", question="?", options=("allow", "deny")),
                    o.Limited(**who, kind="rate"),
                    o.Held(**who, reason="no slot"),
                    o.WentOn(**who),
                    o.Used(**who, usage=data.draw(usages)),
                    o.Stalled(**who, quiet_ms=1),
                    o.Checked(
                        **who,
                        results=(CheckResult(command=("x",), exit_status=data.draw(st.integers(0, 1))),),
                    ),
                ]
            )
        )
        self.world.see(seen)

    @rule(clean=st.integers(0, 3), unresolved=st.booleans())
    def merge(self, clean, unresolved):
        for id, number in list(self.world.run.integrating.items()):
            who = {"task_id": id, "attempt": number}
            evidence = Evidence(files=(f"{id}.md",))
            if clean or id in RESERVED:
                self.world.see(o.Integrated(**who, evidence=evidence))
            elif unresolved:
                self.world.see(o.Refused(**who, reason="markers are left", unresolved=True))
            else:
                self.world.see(o.Conflicted(**who, conflicts=(InConflict(path="x"),)))

    @rule(ms=st.sampled_from([1, 1_000, 100_000]))
    def wait(self, ms):
        self.world.pass_time(ms)

    @rule(snapshot=st.booleans())
    def crash(self, snapshot):
        """Another process takes the run up from its log, or from a snapshot."""
        world = self.world
        world.run = decoded(encoded(world.run)) if snapshot else refolded(world.events)
        world.record(*recover(world.run, resumable=("patient",)))
        world.settle()

    # What always holds; World.settle checks that nothing stands still without a reason

    @invariant()
    def everything_says_the_same(self):
        run = self.world.run
        require_consistent(run)
        assert len(run.live) <= max(run.settings.slots, 1) or any(
            event.type == "worker:resumed" for event in self.world.events
        )
        assert len(queued(run)) == run.counts[TaskState.READY]
        assert sum(waiting.kind is WaitingKind.PLAN for waiting in run.waiting.values()) <= 1

    def teardown(self):
        if hasattr(self, "world"):
            require_same(self.world.run, refolded(self.world.events))


Life.TestCase.settings = settings(max_examples=2_000 if FULL else 100, stateful_step_count=40)
TestLife = Life.TestCase
