"""What bigtask has left on this machine, as findings for `doctor`: each with the command that removes it.

What a run that isn't over holds is expected: it can be resumed.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from shlex import quote

from bigtask.doctor import Finding, Level
from bigtask.errors import InvalidInput
from bigtask.host import cleaning, strays
from bigtask.host.home import Home
from bigtask.host.retention import Seen
from bigtask.words import short
from bigtask.workspaces.ports import PortBlocks

_AREA = "left over"


async def leftovers(home: Home) -> list[Finding]:
    """Looks, and changes nothing. A good finding where nothing is left over."""
    try:
        folders = list(home.folders())
    except InvalidInput:
        return []  # said elsewhere
    known = {folder.id for folder in folders}
    seen = await cleaning.look(folders)
    found = [
        *_processes(home),
        *_disk(seen),
        *_remains(home),
        *_ports(home, known),
        *[_record(root, name) async for root, name in strays.records(home, lost=True)],
        *[_branches(left) async for left in strays.kept_branches(home) if left.run_id not in known],
    ]
    if not any(one.area == _AREA for one in found):
        found.append(Finding(area=_AREA, level=Level.OK, text="no worktree, process, port or lock"))
    return found


def _processes(home: Home) -> Iterator[Finding]:
    pids = strays.processes(home)
    if pids:
        shown = " ".join(map(str, pids[:20]))
        yield Finding(
            area=_AREA,
            level=Level.WARN,
            text=f"{_counted(len(pids), 'process')} that bigtask started, and nobody carries out any more",
            next=f"kill {shown}",
        )


def _disk(seen: list[Seen]) -> Iterator[Finding]:
    kept = [run for run in seen if run.ended_at is not None and (run.workspaces or run.trash)]
    used = sum(run.workspaces + sum(each.used for each in run.trash) for run in kept)
    if used:
        yield Finding(
            area="ended runs",
            level=Level.OK,
            text=f"{used / (1 << 20):,.1f} MiB of workspaces and ignored files in "
            + _counted(len(kept), "run"),
            next="bigtask clean",
        )


def _remains(home: Home) -> Iterator[Finding]:
    remains = [path.name for path in cleaning.remains(home)]
    if remains:
        yield Finding(
            area=_AREA,
            level=Level.WARN,
            text=f"{remains[0]}: the removal, or the making, of {_counted(len(remains), 'run')} was cut off",
            next="bigtask clean",
        )


def _ports(home: Home, known: set[str]) -> Iterator[Finding]:
    gone = sorted({name.partition(".")[0] for name in PortBlocks(home.ports).names()} - known)
    if gone:
        yield Finding(
            area=_AREA,
            level=Level.WARN,
            text=f"ports are kept for {_counted(len(gone), 'run')} that is gone: {gone[0]}",
            next="bigtask clean",
        )


def _record(root: Path, name: str) -> Finding:
    return Finding(
        area=_AREA,
        level=Level.WARN,
        text=f"{root} has a record of the worktree {name}, whose files are gone",
        next=f"git -C {quote(str(root))} worktree prune",
    )


def _branches(left: strays.Left) -> Finding:
    rescued = f" and {_counted(left.rescued, 'piece')} of rescued work" if left.rescued else ""
    return Finding(
        area=f"run {short(left.run_id)}",
        level=Level.OK,
        text=f"is gone, and {Path(left.root)} keeps its {_counted(left.branches, 'branch')}{rescued}",
        next=f"bigtask clean {short(left.run_id)} --branches, which loses what isn't merged",
    )


def _counted(number: int, noun: str) -> str:
    plural = f"{noun}es" if noun.endswith(("ss", "ch")) else f"{noun}s"
    return f"{number} {noun if number == 1 else plural}"
