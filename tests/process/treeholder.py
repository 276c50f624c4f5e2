"""A stand-in for bigtask: holds process trees until it's asked to end, or killed.

argument: a JSON object `{"trees": {NAME: SCRIPT}, "subreaper", "keeper", "cgroup", "warden", "plain"}`.
Prints its identity as a JSON line before it starts anything; `plain` runs the scripts without a keeper.
"""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import msgspec

from bigtask.process import Containment, minimal_env, run, running, this_process, warden


async def hold(asked: dict[str, Any]) -> None:
    mine = asyncio.current_task()
    assert mine is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, mine.cancel)
    sys.stdout.write(msgspec.json.encode(this_process()).decode() + "\n")
    sys.stdout.flush()
    containment = Containment(
        keeper=asked["keeper"], subreaper=asked["subreaper"], cgroup=asked["cgroup"], marks=True
    )
    async with AsyncExitStack() as stack:
        if asked["warden"]:
            await stack.enter_async_context(warden())
        if asked["plain"]:
            async with asyncio.TaskGroup() as group:
                for script in asked["trees"].values():
                    group.create_task(
                        run(["sh", "-c", script], cwd=Path("/"), env=minimal_env(), timeout_s=600)
                    )
        for script in asked["trees"].values():
            await stack.enter_async_context(
                running(
                    ["sh", "-c", script],
                    cwd=Path("/"),
                    env=minimal_env(),
                    grace_s=0.3,
                    containment=containment,
                )
            )
        await asyncio.Event().wait()


def main(argv: list[str]) -> None:
    try:
        asyncio.run(hold(json.loads(argv[0])))
    except asyncio.CancelledError:
        sys.exit(0)
