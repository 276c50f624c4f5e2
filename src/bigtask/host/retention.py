"""What of ended runs may go, by rules of count, age and disk. Pure: it looks at what it is given.

A run that isn't over keeps everything. Branches and rescued work are no matter of rules: they stay until a
command names them, and so does a run that holds the only copy of its result.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

_DAY_MS = 86_400_000
_GIB = 1 << 30


class What(StrEnum):
    WORKSPACES = "workspaces"
    """Its worktrees; what isn't committed in them is rescued first."""
    TRASH = "trash"
    """Files that git ignored, out of workspaces that have gone."""
    RUN = "run"
    """All that bigtask keeps of it: log, transcripts, workspaces and trash."""


@dataclass(frozen=True, kw_only=True)
class Rules:
    """Whole numbers of zero keep nothing that is over."""

    runs: int
    days: float
    gib: float
    trash_days: float


@dataclass(frozen=True, kw_only=True)
class Discarded:
    """A folder in a run's trash, `since` when in milliseconds."""

    name: str
    since: int
    used: int


@dataclass(frozen=True, kw_only=True)
class Seen:
    """A run as it lies on the disk, in bytes. `ended_at` is in milliseconds, None for one that isn't over or
    can't be read; `only_here` says that its result is nowhere else."""

    id: str
    ended_at: int | None
    workspaces: int = 0
    trash: tuple[Discarded, ...] = ()
    rest: int = 0
    only_here: bool = False

    @property
    def used(self) -> int:
        return self.workspaces + self.rest + sum(each.used for each in self.trash)


@dataclass(frozen=True, kw_only=True)
class Removal:
    """`why` is for people; `names` are those of the folders in the trash."""

    id: str
    what: What
    used: int
    why: str
    names: tuple[str, ...] = ()


def due(runs: Iterable[Seen], rules: Rules, now: int) -> tuple[Removal, ...]:
    """Newest run first, at most one removal of a kind for each; `now` in milliseconds."""
    over = sorted((run for run in runs if run.ended_at is not None), key=lambda run: run.id, reverse=True)
    whole = dict(_whole(over, rules, now))
    found: list[Removal] = []
    for run in over:
        why = whole.get(run.id)
        if why is not None:
            found.append(Removal(id=run.id, what=What.RUN, used=run.used, why=why))
            continue
        if run.workspaces:
            found.append(Removal(id=run.id, what=What.WORKSPACES, used=run.workspaces, why="the run is over"))
        old = [each for each in run.trash if _old(each, rules, now)]
        if old:
            used = sum(each.used for each in old)
            why = f"older than {_days(rules.trash_days)}"
            names = tuple(each.name for each in old)
            found.append(Removal(id=run.id, what=What.TRASH, used=used, why=why, names=names))
    return tuple(found)


def _whole(over: Sequence[Seen], rules: Rules, now: int) -> Iterator[tuple[str, str]]:
    kept: list[Seen] = []
    for place, run in enumerate(over):
        assert run.ended_at is not None
        if not _may_go(run, rules, now):
            kept.append(run)
        elif place >= rules.runs:
            yield run.id, f"more than {rules.runs} ended runs"
        elif now - run.ended_at > rules.days * _DAY_MS:
            yield run.id, f"it ended more than {_days(rules.days)} ago"
        else:
            kept.append(run)
    # Its workspaces go anyhow.
    used = {run.id: run.used - run.workspaces for run in kept}
    whole = sum(used.values())
    for run in reversed(kept):
        if whole <= rules.gib * _GIB:
            return
        if _may_go(run, rules, now):
            whole -= used[run.id]
            yield run.id, f"ended runs take more than {rules.gib:g} GiB"


def _may_go(run: Seen, rules: Rules, now: int) -> bool:
    return not run.only_here and all(_old(each, rules, now) for each in run.trash)


def _old(each: Discarded, rules: Rules, now: int) -> bool:
    return now - each.since >= rules.trash_days * _DAY_MS


def _days(days: float) -> str:
    return "1 day" if days == 1 else f"{days:g} days"
