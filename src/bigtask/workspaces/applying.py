"""The run's result brought to the person: into their branch, or into their folder; and out again.

`applied.json` in the run's folder says what was done, and is written before it is: `state` is `begun`,
`done` or `undone`, `old` and `new` are commits, `branch` is the person's (null in a plain folder). For a
folder the contents from before are in the shadow repository, as those of `old`.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec

from bigtask.errors import Conflict, NotFound
from bigtask.workspaces.changes import FileChange, read_merge, seen_from
from bigtask.workspaces.git import NOTHING, Git
from bigtask.workspaces.moving import move, named
from bigtask.workspaces.source import Source
from bigtask.workspaces.staging import State, difference, state
from bigtask.workspaces.values import Applied

_IN_PROGRESS = {
    "MERGE_HEAD": "a merge",
    "CHERRY_PICK_HEAD": "a cherry-pick",
    "REVERT_HEAD": "a revert",
    "rebase-merge": "a rebase",
    "rebase-apply": "a rebase",
}


class _Record(msgspec.Struct, frozen=True, kw_only=True):
    state: Literal["begun", "done", "undone"]
    old: str
    """Empty for a branch without a commit."""

    new: str
    branch: str | None = None


@dataclass(frozen=True, kw_only=True)
class Application:
    """`git` is the repository with the person's files as its working tree."""

    run_id: str
    source: Source
    git: Git
    home: Path

    async def apply(self, base: str, result: str) -> Applied:
        if self.source.kind == "folder":
            return await self._apply_to_folder(base, result)
        return await self._apply_to_branch(base, result)

    async def undo(self) -> Applied:
        record = self.record()
        if record is None or record.state == "undone":
            raise NotFound("no result of this run is applied: there is nothing to undo")
        if record.branch is None:
            files = await self._move(record.new, record.old)
        else:
            files = await self._undo_branch(record)
        self._write(msgspec.structs.replace(record, state="undone"))
        return Applied(commit=record.old or None if record.branch else None, files=files)

    async def _apply_to_folder(self, base: str, result: str) -> Applied:
        record = self.record()
        if record and record.state == "done" and record.new == result:
            return Applied(commit=None, files=(), already=True)
        # A second result, after a run that went on, starts from what the first one left.
        old = record.new if record and record.state == "done" else base
        if old == result:
            return Applied(commit=None, files=())
        begun = _Record(state="begun", old=old, new=result)
        before = record
        self._write(begun)
        try:
            files = await self._move(old, result)
        except Conflict:
            self._restore(before)
            raise
        self._write(msgspec.structs.replace(begun, state="done"))
        return Applied(commit=None, files=files)

    async def _apply_to_branch(self, base: str, result: str) -> Applied:
        seen = await state(self.git, every_file=False)
        record = self.record()
        if base == result:
            return Applied(commit=None, files=())
        if seen.head and await self.git.is_ancestor(result, seen.head):
            if record and record.state == "begun":
                self._write(msgspec.structs.replace(record, state="done"))
            return Applied(commit=seen.head, files=(), already=True)
        branch = self.may_be_touched(seen)
        half_done = (
            record and record.state == "begun" and (record.old, record.branch) == (seen.head or "", branch)
        )
        if record and half_done and await self._holds(result, record.new):
            new = record.new
        else:
            _refuse_changes(seen)
            new = await self._merged(seen.head, result)
        begun = _Record(state="begun", old=seen.head or "", new=new, branch=branch)
        self._write(begun)
        try:
            files = await self._move(seen.head or await self.git.empty_tree(), new)
        except Conflict:
            if not half_done:
                self._restore(record)
            raise
        await self.git.move_ref(
            f"refs/heads/{branch}", to=new, of=seen.head or NOTHING, why=f"bigtask merge {self.run_id}"
        )
        self._write(msgspec.structs.replace(begun, state="done"))
        return Applied(commit=new, files=files)

    async def _undo_branch(self, record: _Record) -> tuple[FileChange, ...]:
        seen = await state(self.git, every_file=False)
        if (seen.head or "", seen.branch) == (record.old, record.branch) and not tracked_changes(seen):
            return ()
        if seen.branch != record.branch or seen.head != record.new:
            raise Conflict(
                f"{record.branch} isn't where the merge left it: revert {record.new[:12]} yourself"
            )
        self.may_be_touched(seen)
        _refuse_changes(seen)
        files = await difference(self.git, record.new, record.old or await self.git.empty_tree())
        if record.old:
            await self.git.call("reset", "-q", "--keep", "--no-recurse-submodules", record.old)
        else:
            await self._move(record.new, await self.git.empty_tree())
            await self.git.call("update-ref", "-d", f"refs/heads/{record.branch}", record.new)
        return seen_from(self.source.prefix, files)

    async def _merged(self, head: str | None, result: str) -> str:
        """The commit that the branch goes to: the result itself, or a merge with what was done since."""
        if head is None or await self.git.is_ancestor(head, result):
            return result
        arguments = ("--write-tree", "-z", "--no-messages", "--allow-unrelated-histories", head, result)
        printed = await self.git.call("merge-tree", *arguments, statuses=(0, 1))
        tree, files = read_merge(printed.stdout)
        if printed.status == 1:
            raise Conflict(
                f"{named(file.path for file in files)} changed on your branch as well: merge "
                f"bigtask/{self.run_id}/main yourself with git, or undo your change first"
            )
        return await self.git.write_commit(
            tree, [head, result], f"Merge the result of bigtask {self.run_id}\n"
        )

    async def _holds(self, result: str, new: str) -> bool:
        return await self.git.commit(new) is not None and await self.git.is_ancestor(result, new)

    async def _move(self, old: str, new: str) -> tuple[FileChange, ...]:
        return seen_from(self.source.prefix, await move(self.git, old, new))

    def may_be_touched(self, seen: State) -> str:
        """The branch that is checked out. Raises Conflict where none is, or something is in progress."""
        if seen.branch is None:
            raise Conflict("no branch is checked out: check the one out that shall get the result")
        for name, what in _IN_PROGRESS.items():
            if (self.git.git_dir / name).exists():
                raise Conflict(
                    f"{what} is in progress in your repository: finish or abort it, then try again"
                )
        return seen.branch

    def record(self) -> _Record | None:
        """What was done last; None where nothing was."""
        try:
            return msgspec.json.decode((self.home / "applied.json").read_bytes(), type=_Record)
        except FileNotFoundError:
            return None

    def _restore(self, record: _Record | None) -> None:
        if record is None:
            (self.home / "applied.json").unlink()
        else:
            self._write(record)

    def _write(self, record: _Record) -> None:
        unfinished = self.home / "applied.json.new"
        with unfinished.open("wb") as file:
            file.write(msgspec.json.encode(record))
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(self.home / "applied.json")


def tracked_changes(seen: State) -> list[str]:
    """Paths of what isn't committed, but for files that git doesn't know."""
    return [path for status, path in seen.dirty if status != "untracked"]


def _refuse_changes(seen: State) -> None:
    changed = tracked_changes(seen)
    if changed:
        raise Conflict(f"{named(changed)} aren't committed: commit or stash them, then try again")
