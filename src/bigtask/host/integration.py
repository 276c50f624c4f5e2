"""How reported work comes in: commit, compare with what was claimed, check, merge, check again.

work ─> commit ─> its checks ─> merge ─> checks of all that is merged ─> integrated
                      │           │                  └ red, and green before ─> taken out, sent back
                      │           └ conflict ─> settled by rule, or resolved, or a person is asked
                      └ red ─> sent back
"""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

from bigtask.core import joining
from bigtask.core import observations as o
from bigtask.core.checks import Command, commands_of_merge, runnable, wanted_by
from bigtask.core.phases.conflicts import DONE, OURS, RESOLVE, THEIRS
from bigtask.core.run import Attempt, Run, TaskRecord
from bigtask.core.values import AGGREGATION, CheckResult, Evidence, InConflict
from bigtask.errors import BigtaskError, Conflict
from bigtask.host.briefing import claims
from bigtask.host.checking import check
from bigtask.host.vigil import Vigil
from bigtask.sink import Redact, log
from bigtask.workspaces.changes import legible
from bigtask.workspaces.run_workspaces import RunWorkspaces
from bigtask.workspaces.values import Begun, Commit, Conflicted, Merged, Strategy, TakenOut, Trial, Workspace

_SHOWN_LINES = 12
_RULES = {"first": OURS, "last": THEIRS}
_CALLED_OFF = "It was called off while it was being checked."

Tell = Callable[[o.Observation], None]
Place = Callable[[], Awaitable[Workspace | None]]
"""The integration workspace, ready for commands to be run in it; None where that can't be."""


def strategy_of(run: Run, attempt: Attempt, *, trial: bool = False) -> Strategy:
    """A person's word about this conflict comes before the run's rule. What somebody has brought together
    isn't settled over their head."""
    concatenate = run.settings.combine == "concatenate"
    order = joining.order(run.plan.tasks) if concatenate and run.plan is not None else ()
    by_person = attempt.settling in (OURS, THEIRS)
    by_rule = None if attempt.settling or attempt.resolves else _RULES.get(run.settings.on_conflict)
    favour = attempt.settling if by_person else by_rule
    return Strategy(
        favour=favour,  # type: ignore[arg-type]  # one of the two, or None
        whole=by_person,
        concatenate=concatenate,
        order=order,
        trial=trial,
        work=attempt.resolves if by_person else None,
    )


def places_of(begun: Begun) -> dict[str, str]:
    """Where the begun merge lies: `places` as in `events.WorkerConflict`."""
    return {"workspace": str(begun.workspace.path), "versions": str(begun.versions)}


class Integration:
    """One merge at a time. Everything here may be done again after a crash: it looks before it redoes."""

    def __init__(self, run: Run, redact: Redact, vigil: Vigil, place: Place) -> None:
        self._run = run
        self._vigil = vigil
        self._redact = redact
        self._place = place
        self._merging = asyncio.Lock()

    async def take_in(self, workspaces: RunWorkspaces, task_id: str, number: int, tell: Tell) -> None:
        """Tells `Checked`, and then `Integrated`, `Conflicted` or `Refused`; or only `Tampered`. What
        `@aggregation` wrote is recorded, and `Integrated` says so."""
        try:
            if task_id == AGGREGATION:
                await self._record_phase(workspaces, number, tell)
            else:
                await self._take_in(workspaces, task_id, number, tell)
        except (BigtaskError, OSError) as error:
            tell(o.Refused(task_id=task_id, attempt=number, reason=str(error)))

    async def tidy(self, workspaces: RunWorkspaces) -> None:
        """Take out a merge whose task was called off while it was being checked."""
        try:
            async with self._merging:
                await self._end_trial(workspaces)
        except BigtaskError as error:
            log("WorkerManager").warning("a merge that was called off can't be taken out: %s", error)

    async def _record_phase(self, workspaces: RunWorkspaces, number: int, tell: Tell) -> None:
        """Commits what aggregation wrote: only what is committed is judged afterwards and goes to the
        person."""
        async with self._merging:
            if not self._wanted(AGGREGATION, number):
                return  # tasks run again meanwhile, and aggregation follows once more
            commit = await workspaces.commit(AGGREGATION, number, f"What {AGGREGATION} wrote\n")
        evidence = Evidence(
            files=tuple(change.path for change in commit.files),
            insertions=commit.insertions,
            deletions=commit.deletions,
            commit=commit.commit,
        )
        tell(o.Integrated(task_id=AGGREGATION, attempt=number, evidence=evidence))

    async def _take_in(self, workspaces: RunWorkspaces, task_id: str, number: int, tell: Tell) -> None:
        who: dict[str, Any] = {"task_id": task_id, "attempt": number}
        record = self._run.tasks[task_id]
        attempt = record.attempts[number - 1]
        held = await self._vigil.held(task_id, number, tell)
        if held:
            tell(o.Tampered(**who, changed=held))
            return
        one_side = attempt.settling in (OURS, THEIRS)
        commit = Commit(commit=None)
        if not one_side:
            done = await self._recorded(workspaces, record, attempt, tell)
            if isinstance(done, o.Refused):
                tell(done)
                return
            commit = done
        async with self._merging:
            red_before = await self._end_trial(workspaces)
            if not self._wanted(task_id, number):
                return
            trial = bool(commands_of_merge(self._run, task_id, alone=False))
            strategy = strategy_of(self._run, attempt, trial=trial)
            merged = await workspaces.merge(task_id, number, record.task.title, strategy)
            if trial and isinstance(merged, Merged):
                red_before = await self._end_trial(workspaces)
                if not self._wanted(task_id, number):
                    return
                merged = await workspaces.merge(task_id, number, record.task.title, strategy)
            if isinstance(merged, Conflicted):
                tell(await self._conflicted(workspaces, record, attempt, merged))
                return
        if isinstance(merged, TakenOut):
            tell(o.Refused(**who, reason=merged.reason, taken_out=merged.commit))
            return
        if isinstance(merged, Merged) and (one_side or merged.settled or merged.joined):
            # The merge changed something, so the branch alone doesn't show what was brought in.
            brought = await workspaces.brought_in(merged)
            commit = replace(brought, in_submodules=commit.in_submodules)
        tell(o.Integrated(**who, evidence=_evidence(record, attempt, commit, merged, red_before)))

    async def _recorded(
        self, workspaces: RunWorkspaces, record: TaskRecord, attempt: Attempt, tell: Tell
    ) -> Commit | o.Refused:
        """The work on its branch, with its own checks green."""
        task_id, number = record.task.id, attempt.number
        resolves = attempt.resolves is not None or attempt.settling == DONE
        if attempt.settling == DONE and not workspaces.present(task_id, number):
            # The attempt ended before it had a workspace: nobody can have resolved anything yet.
            strategy = strategy_of(self._run, attempt)
            begun = await workspaces.begin_merge(task_id, number, strategy, work=attempt.resolves)
            reason = f"nobody has touched it yet: it lies in {begun.workspace.path} now"
            return o.Refused(task_id=task_id, attempt=number, reason=reason, unresolved=True)
        # First the commit: to acquire a workspace of an earlier holder puts what isn't committed aside.
        try:
            message = f"{record.task.title}\n"
            commit = await workspaces.commit(task_id, number, message, resolves=resolves)
        except Conflict as error:
            return o.Refused(task_id=task_id, attempt=number, reason=str(error), unresolved=True)
        commands = runnable(self._run, record.task)
        if commands:
            results = await check(commands, await workspaces.acquire(task_id, number), self._redact)
            tell(o.Checked(task_id=task_id, attempt=number, results=results))
            red = next((result for result in results if not result.passed), None)
            if red is not None:
                reason = f"its check {_how_red(red)}"
                return o.Refused(task_id=task_id, attempt=number, reason=reason, unresolved=resolves)
        return commit

    async def _conflicted(
        self, workspaces: RunWorkspaces, record: TaskRecord, attempt: Attempt, conflict: Conflicted
    ) -> o.Conflicted:
        who: dict[str, Any] = {"task_id": record.task.id, "attempt": attempt.number}
        if self._run.settings.on_conflict == RESOLVE and not attempt.settling:
            files = workspaces.seen(conflict.files)
            return o.Conflicted(**who, conflicts=tuple(InConflict(path=f.path, what=f.what) for f in files))
        begun = await workspaces.begin_merge(record.task.id, attempt.number, strategy_of(self._run, attempt))
        return o.Conflicted(
            **who,
            conflicts=tuple(InConflict(path=legible(file.path), what=file.what) for file in begun.files),
            others=begun.others,
            places=places_of(begun),
        )

    async def _end_trial(self, workspaces: RunWorkspaces) -> tuple[Command, ...]:
        """Keep or take out the merge that isn't decided, if there is one: it may be an earlier holder's.

        Returns the commands that are red, and were so without it.
        """
        trial = await workspaces.trial()
        if trial is None:
            return ()
        if not self._wanted(trial.task_id, trial.n):
            await workspaces.take_out(trial, _CALLED_OFF)
            return ()
        commands = commands_of_merge(self._run, trial.task_id, alone=trial.alone)
        place = await self._place() if commands else None
        if place is None:
            await workspaces.keep(trial)
            return ()
        await workspaces.clear_integration()
        red = [each for each in await check(commands, place, self._redact) if not each.passed]
        before: tuple[CheckResult, ...] = ()
        if red:
            await workspaces.clear_integration()
            async with workspaces.looking_back(trial):
                before = await check([each.command for each in red], place, self._redact)
        was_green = {each.command for each in before if each.passed}
        guilty = [each for each in red if each.command in was_green]
        if not self._wanted(trial.task_id, trial.n):
            await workspaces.take_out(trial, _CALLED_OFF)
        elif guilty:
            together = await workspaces.merged_since(trial.task_id, trial.n)
            await workspaces.take_out(trial, self._why_out(trial, guilty[0], together))
        else:
            await workspaces.keep(trial)
        return tuple(each.command for each in red if each.command not in was_green)

    def _wanted(self, task_id: str, number: int) -> bool:
        """Whether the work is still to be merged: a task that was cancelled or skipped meanwhile keeps its
        branch, and isn't."""
        return self._run.integrating.get(task_id) == number

    def _why_out(self, trial: Trial, red: CheckResult, together: tuple[str, ...]) -> str:
        """Names everybody who has to do with it."""
        task_id = trial.task_id
        whose = [id for id in wanted_by(self._run, red.command) if id not in (task_id, "template")]
        if whose:
            said = f"the check of {', '.join(whose)} was green before {task_id} was merged, and then "
        else:
            others = f" together with what was merged meanwhile ({', '.join(together)})" if together else ""
            said = f"the check of {task_id} is green alone, and{others} "
        branch = self._run.tasks[task_id].attempts[trial.n - 1].branch
        kept = f" The work is kept on the branch {branch}." if branch else ""
        return f"{said}{_how_red(red)}\nIts merge was taken out again.{kept}"


def _evidence(
    record: TaskRecord, attempt: Attempt, commit: Commit, merged: object, red_before: tuple[Command, ...]
) -> Evidence:
    report = attempt.report
    assert report is not None
    claimed = report.output_files
    if attempt.resolves is not None:
        # This attempt answers for what it resolved, the attempt before it for the rest.
        earlier = record.attempts[attempt.resolves - 1].report
        claimed = (*claimed, *(earlier.output_files if earlier is not None else ()))
    files = tuple(change.path for change in commit.files)
    told = claims(record.task, files=files, claimed=claimed)
    somebody = attempt.resolves is not None or attempt.settling == DONE
    one_side = attempt.settling in (OURS, THEIRS)
    return Evidence(
        files=files,
        insertions=commit.insertions,
        deletions=commit.deletions,
        commit=commit.commit,
        claimed_unchanged=told["claimed_unchanged"],
        changed_unclaimed=told["changed_unclaimed"],
        outside_scope=told["outside_scope"],
        settled=merged.settled if isinstance(merged, Merged) else (),
        side=merged.side if isinstance(merged, Merged) else "",
        joined=merged.joined if isinstance(merged, Merged) else (),
        resolved=tuple(one.path for one in record.conflicts) if somebody and not one_side else (),
        red_before=red_before,
        in_submodules=commit.in_submodules,
    )


def _how_red(result: CheckResult) -> str:
    ended = "didn't end in time" if result.exit_status is None else f"ended with {result.exit_status}"
    last = "\n".join(result.output.strip().splitlines()[-_SHOWN_LINES:])
    return f"`{shlex.join(result.command)}` {ended}" + (f":\n{last}" if last else "")
