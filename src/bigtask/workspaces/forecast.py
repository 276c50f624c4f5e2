"""What taking a result over would do, looked at beforehand and without a trace."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from bigtask.errors import Conflict
from bigtask.words import counted, one_line
from bigtask.workspaces.applying import Application, folder_at, tracked_changes
from bigtask.workspaces.changes import FileChange, read_merge, seen_from
from bigtask.workspaces.git import Git
from bigtask.workspaces.moving import look_ahead
from bigtask.workspaces.staging import difference, state

Way = Literal["fast-forward", "merge", "apply", "already", "nothing"]


@dataclass(frozen=True, kw_only=True)
class Forecast:
    """`way` is how the result would come; `apply` is for a plain folder. `branch` and `head` are the
    person's, `result` the commit that would be taken.

    `refused` says why it can't be done as things stand, and is empty when it can; `in_the_way` are the files
    that have to be seen to first, all of them.
    """

    way: Way
    result: str
    branch: str | None = None
    head: str | None = None
    files: tuple[FileChange, ...] = ()
    refused: str = ""
    in_the_way: tuple[str, ...] = ()


def in_words(seen: Forecast) -> str:
    """What would be done, were it not refused."""
    plus, minus = sum(c.insertions for c in seen.files), sum(c.deletions for c in seen.files)
    what = f"{counted(len(seen.files), 'file')}, +{plus:,} −{minus:,}"
    if seen.way == "already":
        return "You have the result already: nothing would be done."
    if not seen.files:
        return "The run has changed nothing: nothing would be done."
    if seen.way == "apply":
        return f"your folder gets {what}"
    branch, head = one_line(seen.branch or "no branch"), (seen.head or "nothing")[:10]
    if seen.way == "merge":
        return f"a merge of {seen.result[:10]} into {branch} ({head}): {what}"
    return f"a fast-forward of {branch} from {head} to {seen.result[:10]}: {what}"


async def foresee(application: Application, base: str, result: str) -> Forecast:
    """For the result between the two commits. Raises GitError."""
    if application.source.kind == "folder":
        return await _to_folder(application, base, result)
    return await _to_branch(application, base, result)


async def _to_folder(application: Application, base: str, result: str) -> Forecast:
    record = application.record()
    done = record is not None and record.state == "done"
    old = folder_at(record, base)
    if old == result:
        return Forecast(way="already" if done else "nothing", result=result)
    seen = await look_ahead(application.git, old, result)
    refused = _changed_since(seen.blocked)
    try:
        application.require_no_undoing(record)
    except Conflict as conflict:
        refused = str(conflict)
    return Forecast(
        way="apply",
        result=result,
        files=seen_from(application.source.prefix, seen.changes),
        refused=refused,
        in_the_way=tuple(sorted(seen.blocked)),
    )


async def _to_branch(application: Application, base: str, result: str) -> Forecast:
    git, prefix = application.git, application.source.prefix
    seen = await state(git, every_file=False)
    if base == result:
        return Forecast(way="nothing", result=result, branch=seen.branch, head=seen.head)
    if seen.head and await git.is_ancestor(result, seen.head):
        return Forecast(way="already", result=result, branch=seen.branch, head=seen.head)
    old = seen.head or await git.empty_tree()
    merges = seen.head is not None and not await git.is_ancestor(seen.head, result)
    content, conflicts = await _merged(git, old, result) if merges else (result, ())
    files = seen_from(prefix, await difference(git, old, content))
    way: Way = "merge" if merges else "fast-forward"
    refused, in_the_way = "", tuple[str, ...]()
    try:
        application.may_be_touched(seen)
    except Conflict as conflict:
        refused = str(conflict)
    record = application.record()
    # What a merge that was broken off has written already is no change of the person's.
    broken_off = record is not None and record.state == "begun" and record.old == (seen.head or "")
    changed = () if broken_off else tracked_changes(seen)
    if not refused and changed:
        refused = "there are changes that aren't committed: commit or stash them, then try again"
        in_the_way = tuple(sorted(changed))
    elif not refused and conflicts:
        refused = "your branch has other changes in the same places: merge the run's branch yourself with git"
        in_the_way = conflicts
    elif not refused:
        async with git.scratch_index() as scratch:
            blocked = (await look_ahead(scratch, old, content)).blocked
        refused, in_the_way = _changed_since(blocked), tuple(sorted(blocked))
    return Forecast(
        way=way,
        result=result,
        branch=seen.branch,
        head=seen.head,
        files=files,
        refused=refused,
        in_the_way=in_the_way,
    )


async def _merged(git: Git, head: str, result: str) -> tuple[str, tuple[str, ...]]:
    """The tree of the merge, written as objects that nothing refers to, and the files in conflict."""
    arguments = ("--write-tree", "-z", "--no-messages", "--allow-unrelated-histories", head, result)
    printed = await git.call("merge-tree", *arguments, statuses=(0, 1))
    tree, files = read_merge(printed.stdout)
    return tree, tuple(sorted(file.path for file in files)) if printed.status == 1 else ()


def _changed_since(blocked: Iterable[str]) -> str:
    return "files there changed since, or would be overwritten: move or commit them first" if blocked else ""
