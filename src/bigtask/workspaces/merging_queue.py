"""The integration branch, and how work comes into it and out of it again: one commit after the other.

What was done is written into the commits, as lines at the end of their messages, so that whoever looks after
a crash finds it there:

| line | says |
| --- | --- |
| `Bigtask-Task`, `Bigtask-Attempt` | whose work the merge brought in |
| `Bigtask-Settled` | a path in conflict, as JSON; `Bigtask-Side` says whose version was kept |
| `Bigtask-Joined` | a document whose parts were put together, as JSON |
| `Bigtask-Takes-Out` | the merge whose content this commit takes out again; the message says why |

A merge that is checked afterwards is on trial: `refs/bigtask/trial/RUN` is where the branch was before it,
moves together with the branch, and is where new attempts begin meanwhile.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass

from bigtask.workspaces import names
from bigtask.workspaces.changes import Side
from bigtask.workspaces.git import Git
from bigtask.workspaces.merging import Join, Merge, content, entries_at
from bigtask.workspaces.merging_parts import Written, joined
from bigtask.workspaces.values import Merged, Nothing, Strategy, TakenOut, Trial

_TASK, _ATTEMPT = "Bigtask-Task", "Bigtask-Attempt"
_SETTLED, _SIDE, _JOINED = "Bigtask-Settled", "Bigtask-Side", "Bigtask-Joined"
_TAKES_OUT = "Bigtask-Takes-Out"


@dataclass(frozen=True, kw_only=True)
class _Entry:
    """A commit of the branch, with the lines of its message."""

    commit: str
    parents: tuple[str, ...]
    message: str

    def said(self, key: str) -> tuple[str, ...]:
        begin = f"{key}: "
        # Only there: titles and reasons are written by agents.
        last = self.message.strip().rpartition("\n\n")[2]
        return tuple(line[len(begin) :] for line in last.splitlines() if line.startswith(begin))

    @property
    def attempt(self) -> tuple[str, int] | None:
        tasks, numbers = self.said(_TASK), self.said(_ATTEMPT)
        return (tasks[-1], int(numbers[-1])) if tasks and numbers and numbers[-1].isdigit() else None


@dataclass(frozen=True, kw_only=True)
class MergeQueue:
    """Only one at a time may use what changes something. Everything raises `GitError`."""

    run_id: str
    git: Git

    @property
    def _main(self) -> str:
        return names.ref(names.integration_branch(self.run_id))

    async def earlier(self, theirs: str, ours: str) -> Merged | TakenOut | Nothing:
        """What became of work that is an ancestor of the branch's tip `ours`."""
        entries = await self._log(theirs, ours)
        merge = next((entry for entry in entries if theirs in entry.parents[1:]), None)
        if merge is None:
            return Nothing()
        out = next((entry for entry in entries if merge.commit in entry.said(_TAKES_OUT)), None)
        if out is not None:
            return TakenOut(commit=out.commit, reason=_reason(out.message))
        return Merged(
            commit=merge.commit,
            settled=_paths(merge.said(_SETTLED)),
            side="".join(merge.said(_SIDE)),
            joined=_paths(merge.said(_JOINED)),
        )

    async def bring_in(
        self, task_id: str, n: int, title: str, merge: Merge, ours: str, theirs: str, strategy: Strategy
    ) -> Merged:
        """The merge commit, with which the branch and, for a trial, its ref move at once."""
        side = strategy.favour or ""
        lines = [f"{_TASK}: {task_id}", f"{_ATTEMPT}: {n}"]
        lines += [f"{_SETTLED}: {json.dumps(path)}" for path in merge.settled]
        lines += [f"{_SIDE}: {side}"] if merge.settled else []
        lines += [f"{_JOINED}: {json.dumps(path)}" for path in merge.joined]
        message = f"{_one_line(title)}\n\n" + "\n".join(lines) + "\n"
        made = await self.git.write_commit(merge.tree, [ours, theirs], message)
        moves = [f"update {self._main} {made} {ours}"]
        moves += [f"create {names.trial_ref(self.run_id)} {ours}"] if strategy.trial else []
        await self._move(moves, f"bigtask: merge {task_id}/{n}")
        return Merged(
            commit=made,
            settled=merge.settled,
            side=side if merge.settled else "",
            joined=merge.joined,
        )

    async def trial(self) -> Trial | None:
        """The merge whose checks haven't come to their end, of this or of an earlier process."""
        ref = names.trial_ref(self.run_id)
        refs = await self.git.refs(ref, self._main)
        if ref not in refs or self._main not in refs:
            return None
        before, tip = refs[ref], refs[self._main]
        for entry in await self._log(before, tip):
            if entry.attempt is not None and entry.parents[:1] == (before,):
                task_id, n = entry.attempt
                alone = await self._tree(entry.commit) == await self._tree(entry.parents[1])
                return Trial(task_id=task_id, n=n, commit=entry.commit, before=before, alone=alone)
        # Nothing is on the branch that the ref could be about.
        await self._move([f"delete {ref} {before}"], "bigtask: no trial")
        return None

    async def keep(self, trial: Trial) -> None:
        await self._move([f"delete {names.trial_ref(self.run_id)} {trial.before}"], "bigtask: keep")

    async def take_out(self, trial: Trial, reason: str) -> TakenOut:
        """A new commit with the content from before: nothing that is there is lost."""
        said = reason.strip()
        message = f"Take {trial.task_id} out again\n\n{said}\n\n{_TAKES_OUT}: {trial.commit}\n"
        tree = await self._tree(trial.before)
        made = await self.git.write_commit(tree, [trial.commit], message)
        moves = [
            f"update {self._main} {made} {trial.commit}",
            f"delete {names.trial_ref(self.run_id)} {trial.before}",
        ]
        await self._move(moves, f"bigtask: take out {trial.task_id}/{trial.n}")
        return TakenOut(commit=made, reason=said)

    async def merged_since(self, base: str, tip: str) -> tuple[tuple[str, int, str], ...]:
        """Task, attempt and the tip of its work, for what was merged between two commits of the branch and is
        still there; the oldest first."""
        entries = await self._log(base, tip)
        out = {commit for entry in entries for commit in entry.said(_TAKES_OUT)}
        return tuple(
            (*entry.attempt, entry.parents[1])
            for entry in reversed(entries)
            if entry.attempt is not None and len(entry.parents) > 1 and entry.commit not in out
        )

    async def join_of(self, task_id: str, n: int, ours: str, theirs: str, order: Sequence[str]) -> Join:
        """Puts documents together whose parts several tasks wrote, in `order`."""
        base = (await self.git.refs(names.base_ref(self.run_id)))[names.base_ref(self.run_id)]
        # Of a task that was merged twice the later work holds the earlier.
        last = {task: (number, tip) for task, number, tip in await self.merged_since(base, ours)}
        last[task_id] = (n, theirs)
        places = {task: place for place, task in enumerate(order)}
        writers = sorted(last, key=lambda task: places.get(task, len(places)))
        starts = await self.git.refs(*(names.start_ref(self.run_id, task, last[task][0]) for task in writers))

        async def at(commit: str | None, path: str) -> Side | None:
            return (await entries_at(self.git, commit, [path])).get(path)

        async def join(path: str) -> bytes | None:
            found: list[Written] = []
            mine = 0
            for task in writers:
                number, tip = last[task]
                start = starts.get(names.start_ref(self.run_id, task, number))
                before, after = await at(start, path), await at(tip, path)
                if before == after:
                    continue
                texts = [b"" if side is None else await content(self.git, side) for side in (before, after)]
                if texts[0] is None or texts[1] is None:
                    return None
                mine = len(found) if task == task_id else mine
                found.append(Written(before=texts[0], after=texts[1]))
            begun, now = await at(base, path), await at(ours, path)
            first = b"" if begun is None else await content(self.git, begun)
            merged = b"" if now is None else await content(self.git, now)
            return joined(first, merged, found, mine) if found and None not in (first, merged) else None  # type: ignore[arg-type]  # None was looked for

        return join

    async def _log(self, base: str, tip: str) -> list[_Entry]:
        """The branch's own commits after `base`, the newest first."""
        printed = await self.git.call(
            "log", "-z", "--first-parent", "--format=%H %P%n%B", f"{base}..{tip}", "--"
        )
        found = []
        for entry in os.fsdecode(printed.stdout).split("\0"):
            if entry:
                ids, _, message = entry.partition("\n")
                commit, *parents = ids.split()
                found.append(_Entry(commit=commit, parents=tuple(parents), message=message))
        return found

    async def _tree(self, commit: str) -> str:
        return await self.git.word("rev-parse", "--verify", f"{commit}^{{tree}}")

    async def _move(self, moves: Sequence[str], why: str) -> None:
        await self.git.call(
            "update-ref", "-m", why, "--create-reflog", "--stdin", input=("\n".join(moves) + "\n").encode()
        )


def _reason(message: str) -> str:
    """Of a commit that takes something out: what stands between its first line and its last ones."""
    body = message.strip().split("\n\n")
    return "\n\n".join(body[1:-1])


def _paths(said: Sequence[str]) -> tuple[str, ...]:
    return tuple(str(json.loads(path)) for path in said)


def _one_line(title: str) -> str:
    return " ".join(title.split())
