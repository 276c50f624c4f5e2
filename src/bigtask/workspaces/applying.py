"""The run's result brought to the person: into their branch, or into their folder; and out again.

`applied.json` in the run's folder says what was done, and is written before it is: `state` is `begun`,
`done`, `undoing` or `undone`, `old` and `new` are commits, `branch` is the person's (null in a plain folder).
For a folder the contents from before are in the shadow repository, as those of `old`.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec

from bigtask import durable_file
from bigtask.errors import Conflict, GitError, NotFound
from bigtask.workspaces.changes import FileChange, read_merge, seen_from
from bigtask.workspaces.exchanging import NotTakenBack
from bigtask.workspaces.git import NOTHING, Git
from bigtask.workspaces.moments import step
from bigtask.workspaces.moving import look_ahead, move, named, require_free
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
    state: Literal["begun", "done", "undoing", "undone"]
    old: str
    """Empty for a branch without a commit."""

    new: str
    branch: str | None = None
    own: tuple[bytes, ...] = ()
    """Files that the person had there already, just so, without git knowing of them: they stay theirs."""


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
            done = await self._moved(record, msgspec.structs.replace(record, state="undoing"))
        else:
            done = await self._undo_branch(record, record.branch)
        files = await self._changes(done)
        self._write(msgspec.structs.replace(record, state="undone"))
        return Applied(commit=record.old or None if record.branch else None, files=files)

    async def _apply_to_folder(self, base: str, result: str) -> Applied:
        record = self.record()
        if record and record.state == "begun" and record.new != result:
            # The run went on after a merge that was broken off: that one comes to its end first.
            record = msgspec.structs.replace(await self._moved(record, record), state="done")
            self._write(record)
        self.require_no_undoing(record)
        if record and record.state == "done" and record.new == result:
            return Applied(commit=None, files=(), already=True)
        old = folder_at(record, base)
        if old == result:
            return Applied(commit=None, files=())
        own = record.own if record and record.state == "begun" else ()
        done = await self._moved(record, _Record(state="begun", old=old, new=result, own=own))
        self._write(msgspec.structs.replace(done, state="done"))
        return Applied(commit=None, files=await self._changes(done))

    async def _moved(self, before: _Record | None, begun: _Record) -> _Record:
        """Do what `begun` says; `before` stands again where that can't be. Returns what is recorded."""
        ends = (begun.old or await self.git.empty_tree(), begun.new)
        undoing = begun.state == "undoing"
        old, new = reversed(ends) if undoing else ends
        seen = await look_ahead(self.git, old, new, keep=map(os.fsdecode, begun.own) if undoing else ())
        require_free(seen)
        if before is None or (before.state, before.new) != ("begun", begun.new):
            # Later some of them are ours.
            begun = (
                begun if undoing else msgspec.structs.replace(begun, own=tuple(map(os.fsencode, seen.own)))
            )
        self._write(begun)
        try:
            await move(self.git, seen, self._place)
        except NotTakenBack:
            raise
        except (Conflict, GitError):
            self._restore(before)
            raise
        return begun

    async def _changes(self, record: _Record) -> tuple[FileChange, ...]:
        """What there is to tell of it."""
        old = record.old or await self.git.empty_tree()
        ends = (record.new, old) if record.state == "undoing" else (old, record.new)
        return seen_from(self.source.prefix, await difference(self.git, *ends))

    async def _apply_to_branch(self, base: str, result: str) -> Applied:
        seen = await state(self.git, every_file=False)
        record = self.record()
        if base == result:
            return Applied(commit=None, files=())
        if seen.head and record and seen.head == record.new:
            self.require_no_undoing(record)
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
        own = record.own if record and half_done else ()
        begun = _Record(state="begun", old=seen.head or "", new=new, branch=branch, own=own)
        done = await self._moved(record, begun)
        await self.git.move_ref(
            f"refs/heads/{branch}", to=new, of=seen.head or NOTHING, why=f"bigtask merge {self.run_id}"
        )
        self._write(msgspec.structs.replace(done, state="done"))
        return Applied(commit=new, files=await self._changes(done))

    async def _undo_branch(self, record: _Record, branch: str) -> _Record:
        seen = await state(self.git, every_file=False)
        # Broken off: the branch is moved last.
        unfinished = record.state != "done" and seen.head in (record.old or None, record.new)
        if seen.branch != branch or not (unfinished or seen.head == record.new):
            raise Conflict(f"{branch} isn't where the merge left it: revert {record.new[:12]} yourself")
        self.may_be_touched(seen)
        if not unfinished:
            _refuse_changes(seen)
        undoing = await self._moved(record, msgspec.structs.replace(record, state="undoing"))
        if seen.head == record.new and record.old:
            why = f"bigtask merge {self.run_id} --undo"
            await self.git.move_ref(f"refs/heads/{branch}", to=record.old, of=record.new, why=why)
        elif seen.head == record.new:
            await self.git.call("update-ref", "-d", f"refs/heads/{branch}", record.new)
        return undoing

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

    @property
    def _place(self) -> Path:
        """Where new files wait: out of the person's sight, but for a project on another disk."""
        root = self.source.root
        if root.stat().st_dev == self.home.stat().st_dev:
            return self.home / "moving"
        return root / f".bigtask-{self.run_id}"

    def require_no_undoing(self, record: _Record | None) -> None:
        """Raises Conflict where an undo was broken off."""
        if record and record.state == "undoing":
            raise Conflict(
                "taking the result out again was broken off: "
                f"`bigtask merge {self.run_id} --undo` brings it to its end"
            )

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
        self.git.watch("before", step("record"))
        durable_file.replace(self.home / "applied.json", msgspec.json.encode(record), mode=0o644)
        self.git.watch("after", step("record"))


def folder_at(record: _Record | None, base: str) -> str:
    """The commit whose files a folder has; a second result, after a run that went on, starts from what the
    first one left."""
    if record is None:
        return base
    return record.new if record.state == "done" else record.old


def tracked_changes(seen: State) -> list[str]:
    """Paths of what isn't committed, but for files that git doesn't know."""
    return [path for status, path in seen.dirty if status != "untracked"]


def _refuse_changes(seen: State) -> None:
    changed = tracked_changes(seen)
    if changed:
        aren_t, them = ("isn't", "it") if len(changed) == 1 else ("aren't", "them")
        raise Conflict(f"{named(changed)} {aren_t} committed: commit or stash {them}, then try again")
