"""What a run, or a task in it, has changed: read from branches, while it goes on as well as afterwards."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass

from bigtask.errors import NotFound
from bigtask.workspaces import names
from bigtask.workspaces.changes import FileChange, seen_from
from bigtask.workspaces.git import Git
from bigtask.workspaces.staging import difference
from bigtask.workspaces.values import ResultDiff

PATCH_BYTES = 2 * 2**20


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """`prefix` is where the run works below the repository's top. All raise NotFound for what isn't there."""

    run_id: str
    repository: Git
    prefix: str

    async def ends(self) -> tuple[str, str]:
        """The commits that the result begins and ends at."""
        base, main, trial = (
            names.base_ref(self.run_id),
            names.ref(names.integration_branch(self.run_id)),
            names.trial_ref(self.run_id),
        )
        refs = await self.repository.refs(base, main, trial)
        if base not in refs or main not in refs:
            raise NotFound(f"the run {self.run_id} has no branch here yet: its first session makes it")
        # A run may end while a merge is on trial: that one isn't part of the result.
        return refs[base], refs.get(trial, refs[main])

    async def result(self) -> ResultDiff:
        base, head = await self.ends()
        commits = int(await self.repository.word("rev-list", "--count", f"{base}..{head}"))
        changes = await difference(self.repository, base, head)
        return ResultDiff(base=base, head=head, commits=commits, files=seen_from(self.prefix, changes))

    async def patch(self, task_id: str | None) -> bytes:
        base, head = await self._ends_of(task_id)
        arguments = ("diff-tree", "-r", "-p", "--no-color", "--no-ext-diff", "--no-textconv", base, head)
        printed = await self.repository.peek(*arguments, limit_bytes=2 * PATCH_BYTES)
        if len(printed.stdout) <= PATCH_BYTES:
            return printed.stdout
        return printed.stdout[:PATCH_BYTES] + b"\n[the patch is longer than this]\n"

    async def changes(self, task_id: str | None) -> tuple[FileChange, ...]:
        base, head = await self._ends_of(task_id)
        return seen_from(self.prefix, await difference(self.repository, base, head))

    async def _ends_of(self, task_id: str | None) -> tuple[str, str]:
        """Of the run, or of the last attempt at a task."""
        if task_id is None:
            return await self.ends()
        first = names.ref(names.attempt_branch(self.run_id, task_id, 1))
        refs = await self.repository.refs(posixpath.dirname(first))
        if not refs:
            raise NotFound(f"the task {task_id} has no attempt yet: wait for it to start")
        last = max(refs, key=lambda name: int(posixpath.basename(name)))
        n = int(posixpath.basename(last))
        start, onto = names.start_ref(self.run_id, task_id, n), names.onto_ref(self.run_id, task_id, n)
        found = await self.repository.refs(start, onto)
        resolved = onto in found and await self.repository.is_ancestor(found[onto], refs[last])
        return found[onto if resolved else start], refs[last]
