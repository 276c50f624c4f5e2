"""Does one thing with a run's workspaces, and may be killed on the way (`BIGTASK_CRASH_AT`).

usage: ROOT HOME DEED, where DEED is one of DEEDS. The run is r1, its task `one`, attempt 1.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from bigtask.host.faults import steps_from
from bigtask.process import warden
from bigtask.workspaces.moments import Watch, unwatched
from bigtask.workspaces.run_workspaces import RunWorkspaces
from bigtask.workspaces.source import examine

NAME = "safety.child"


async def opened(root: Path, home: Path, watch: Watch = unwatched) -> RunWorkspaces:
    home.mkdir(parents=True, exist_ok=True)
    return RunWorkspaces("r1", await examine(root), home, watch=watch)


async def take_in(run: RunWorkspaces) -> None:
    await run.commit("one", 1, "what was done\n")
    await run.merge("one", 1, "Do one")


DEEDS: dict[str, Callable[[RunWorkspaces], Awaitable[object]]] = {
    "release": lambda run: run.release("one", 1),
    "give-up": lambda run: run.give_up(),
    "take-in": take_in,
    "apply": lambda run: run.apply_result(),
    "undo": lambda run: run.undo_apply(),
}


async def do(root: Path, home: Path, deed: str) -> None:
    async with warden():
        await DEEDS[deed](await opened(root, home, steps_from(os.environ)))


def main(argv: Sequence[str]) -> None:
    root, home, deed = argv
    asyncio.run(do(Path(root), Path(home), deed))
