"""How well agents answered in the last runs on this machine. Each run is read once: what its answers came to
is kept in a file, which may be deleted at any time."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from itertools import islice

import msgspec

from bigtask.core.answers import Answers, added, answers
from bigtask.durable_file import replace
from bigtask.errors import BigtaskError
from bigtask.host.access import read_run
from bigtask.host.home import Home, RunFolder
from bigtask.host.lock import reading
from bigtask.host.snapshot import made_by

MOST_RUNS = 100
"""The newest ones: agents get better, and what they did a year ago says little."""


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """`by_agent` sums up what the agents answered in `runs` finished runs; all scripts are one agent."""

    runs: int = 0
    by_agent: Mapping[str, Answers] = {}


class _Counted(msgspec.Struct, frozen=True):
    """One run, as it was when its log was last changed (`stamp`); None while it hasn't ended."""

    stamp: tuple[int, ...]
    answers: dict[str, Answers] | None


class _Kept(msgspec.Struct, frozen=True):
    made_by: str
    runs: dict[str, _Counted]


async def record(home: Home) -> Record:
    """Of the last runs that have ended. A run that can't be read is left out. Raises InvalidInput where runs
    can't be listed."""
    before = _kept(home)
    now: dict[str, _Counted] = {}
    for folder in islice(home.folders(), MOST_RUNS):
        counted = await _counted(folder, before.get(folder.id))
        if counted is not None:
            now[folder.id] = counted
    if now != before:
        with suppress(OSError):
            replace(home.answers, msgspec.json.encode(_Kept(made_by(), now)))
    ended = [counted.answers for counted in now.values() if counted.answers is not None]
    by_agent: dict[str, Answers] = {}
    for each in ended:
        by_agent = added(by_agent, each)
    return Record(runs=len(ended), by_agent=by_agent)


def _kept(home: Home) -> dict[str, _Counted]:
    try:
        kept = msgspec.json.decode(home.answers.read_bytes(), type=_Kept)
    except (OSError, msgspec.DecodeError):
        return {}
    # Another version may count otherwise.
    return kept.runs if kept.made_by == made_by() else {}


async def _counted(folder: RunFolder, before: _Counted | None) -> _Counted | None:
    try:
        with reading(folder.lock) as free:
            if not free:
                # It is under way: it counts when it has ended.
                return None
        stamp = _stamp(folder)
        if before is not None and before.stamp == stamp:
            return before
        run = await read_run(folder)
    except (BigtaskError, OSError):
        return None
    return _Counted(stamp, None if run.outcome is None else _by_kind(answers(run)))


def _stamp(folder: RunFolder) -> tuple[int, ...]:
    """Other after every change of the log, also after one that a killed holder left beside it."""
    found: list[int] = []
    for path in (folder.log, folder.log.with_name(f"{folder.log.name}-wal")):
        with suppress(FileNotFoundError):
            state = path.stat()
            found += (state.st_mtime_ns, state.st_size)
    return tuple(found)


def _by_kind(found: Mapping[str, Answers]) -> dict[str, Answers]:
    """Each script is an agent of its own, by the path of its file."""
    result: dict[str, Answers] = {}
    for name, counts in found.items():
        result = added(result, {name.partition(":")[0]: counts})
    return result
