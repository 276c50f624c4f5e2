"""How reported work comes in: commit, compare with what was claimed, check, merge. And the checks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from bigtask.core import observations as o
from bigtask.core.checks import runnable
from bigtask.core.run import Run
from bigtask.core.values import CheckResult, Evidence
from bigtask.errors import BigtaskError
from bigtask.host.briefing import claims
from bigtask.process import minimal_env, run
from bigtask.sink import Redact
from bigtask.workspaces.run_workspaces import RunWorkspaces
from bigtask.workspaces.values import Conflicted, ResultDiff, Workspace

_CHECK_TIMEOUT_S = 600.0
_CHECK_OUTPUT = 8_000
_SHOWN_LINES = 12
_MOST_FILES = 400

Tell = Callable[[o.Observation], None]


class Integration:
    """One merge at a time. Everything here may be done again after a crash: it looks before it redoes."""

    def __init__(self, run: Run, redact: Redact) -> None:
        self._run = run
        self._redact = redact
        self._merging = asyncio.Lock()

    async def take_in(self, workspaces: RunWorkspaces, task_id: str, number: int, tell: Tell) -> None:
        """Tells `Checked`, and then `Integrated`, `Conflicted` or `Refused`."""
        try:
            await self._take_in(workspaces, task_id, number, tell)
        except BigtaskError as error:
            tell(o.Refused(task_id=task_id, attempt=number, reason=str(error)))

    async def _take_in(self, workspaces: RunWorkspaces, task_id: str, number: int, tell: Tell) -> None:
        who: dict[str, Any] = {"task_id": task_id, "attempt": number}
        record = self._run.tasks[task_id]
        report = record.attempts[number - 1].report
        assert report is not None
        # First the commit: to acquire a workspace of an earlier holder puts what isn't committed aside.
        commit = await workspaces.commit(task_id, number, f"{record.task.title}\n")
        commands = runnable(self._run, record.task)
        if commands:
            results = await self.check(commands, await workspaces.acquire(task_id, number))
            tell(o.Checked(**who, results=results))
            red = next((result for result in results if not result.passed), None)
            if red is not None:
                tell(o.Refused(**who, reason=_why_red(red)))
                return
        async with self._merging:
            if self._run.integrating.get(task_id) != number:
                return  # cancelled or skipped meanwhile: its branch stays, the merge is off
            merged = await workspaces.merge(task_id, number, record.task.title)
        if isinstance(merged, Conflicted):
            tell(o.Conflicted(**who, files=tuple(file.path for file in merged.files)))
            return
        files = tuple(change.path for change in commit.files)
        evidence = Evidence(
            files=files,
            insertions=commit.insertions,
            deletions=commit.deletions,
            commit=commit.commit,
            **claims(record.task, files=files, claimed=report.output_files),
        )
        tell(o.Integrated(**who, evidence=evidence))

    async def check(
        self, commands: Sequence[tuple[str, ...]], workspace: Workspace
    ) -> tuple[CheckResult, ...]:
        """Runs each command in the workspace; a program that isn't there is a check that failed."""
        results = []
        for command in commands:
            try:
                finished = await run(
                    command,
                    cwd=workspace.path,
                    env=minimal_env({"TMPDIR": str(workspace.tmp)}),
                    timeout_s=_CHECK_TIMEOUT_S,
                    limit_bytes=_CHECK_OUTPUT,
                )
            except BigtaskError as error:
                results.append(CheckResult(command=command, exit_status=127, output=str(error)))
                continue
            output = (finished.stdout + finished.stderr).decode(errors="replace")
            status = None if finished.timed_out else finished.status
            results.append(CheckResult(command=command, exit_status=status, output=self._redact(output)))
        return tuple(results)


def _why_red(result: CheckResult) -> str:
    ended = "didn't end in time" if result.exit_status is None else f"ended with {result.exit_status}"
    last = "\n".join(result.output.strip().splitlines()[-_SHOWN_LINES:])
    return f"its check `{' '.join(result.command)}` {ended}" + (f":\n{last}" if last else "")


def describe(result: ResultDiff, checks: Sequence[CheckResult]) -> str:
    """What the merged whole is, for the phases that judge it: bigtask's own checks, then every file."""
    lines = [
        f"check `{' '.join(check.command)}`: "
        + ("passed" if check.passed else _why_red(check).partition("` ")[2])
        for check in checks
    ]
    lines += [
        f"{file.status} {file.path} +{file.insertions} -{file.deletions}"
        for file in result.files[:_MOST_FILES]
    ]
    if len(result.files) > _MOST_FILES:
        lines.append(f"and {len(result.files) - _MOST_FILES} files more")
    return "\n".join(lines)
