"""Reads a flood of output and prints by how many bytes its own memory has grown at most, and what was read.

arguments: KIND BYTES [--mutant]. KIND is `lines`, `one line`, `run`.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

from bigtask.process import minimal_env, run, running

_FLOODS = {
    "lines": "yes $(head -c 2000 /dev/zero | tr '\\0' x) | head -c {size}",
    "one line": "head -c {size} /dev/zero",
}
_REPORT = "the report"


def script(kind: str, size: int) -> str:
    """The flood on both outputs, and then the report on a line of its own."""
    flood = _FLOODS.get(kind, _FLOODS["one line"]).format(size=size)
    return f"({flood}) >&2 & ({flood}); echo; wait; echo '{_REPORT}'"


def most() -> int:
    """The most memory that we have had, in bytes; see proc(5)."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


async def read(kind: str, size: int, *, all_of_it: bool) -> str:
    argv, here = ["sh", "-c", script(kind, size)], Path("/")
    limit = 4 * size if all_of_it else None
    if kind == "run":
        done = await run(
            argv, cwd=here, env=minimal_env(), timeout_s=3600, contained=True, limit_bytes=limit or 65536
        )
        return done.stdout.decode().split("\n")[-2]
    last = b""
    kept = []
    async with running(
        argv, cwd=here, env=minimal_env(), line_limit=limit or 4 * 2**20, grace_s=0.1
    ) as process:
        async for line in process.lines():
            last = line
            if all_of_it:
                kept.append(line)
    return last.decode()


async def main(kind: str, size: int, *mutant: str) -> None:
    await read(kind, 1000, all_of_it=False)
    before = most()
    said = await read(kind, size, all_of_it=bool(mutant))
    sys.stdout.write(json.dumps({"grown": most() - before, "report": said == _REPORT}) + "\n")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), *sys.argv[3:]))
