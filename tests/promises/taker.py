"""Becomes the holder of a run, if it can, when the file `gate` in the run's folder isn't locked any more.

Prints `{"held": pid}` and stays, or `{"error", "message"}`. With `--careless` the lock is never refused.
"""

from __future__ import annotations

import argparse
import asyncio
import fcntl
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bigtask.agents.table import AgentTable
from bigtask.errors import BigtaskError
from bigtask.host.access import hold
from bigtask.host.home import RunFolder


def say(value: Any) -> None:
    os.write(1, json.dumps(value).encode() + b"\n")


async def take(folder: RunFolder) -> None:
    try:
        async with hold(folder, AgentTable(), who="one of many", idle=True):
            say({"held": os.getpid()})
            await asyncio.Event().wait()
    except BigtaskError as error:
        say({"error": type(error).__name__, "message": str(error)})


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--careless", action="store_true")
    given = parser.parse_args(argv)
    gate = os.open(given.folder / "gate", os.O_RDWR)
    fcntl.flock(gate, fcntl.LOCK_SH)
    if given.careless:
        fcntl.flock = lambda descriptor, operation: None  # type: ignore[assignment]  # the mutant
    asyncio.run(take(RunFolder(given.folder)))


if __name__ == "__main__":
    main()
