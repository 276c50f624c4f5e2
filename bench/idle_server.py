"""What a server costs that has nothing to do: ten paused runs in its home, and nobody asks for anything.

CPU is that of the server's process over the window, in percent of one core; memory its resident set at the
end. --watchers so many WebSockets are open meanwhile, each subscribed to all runs.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import sys
from contextlib import AsyncExitStack
from importlib.metadata import version
from pathlib import Path
from typing import Any

from websockets.asyncio.client import connect

from bigtask.host.creation import Options
from bigtask.module import OrchestratorModule
from kit.command import tell
from kit.recording import now
from kit.scratch import scratch

_RUNS = 10
_TICK = os.sysconf("SC_CLK_TCK")


async def paused(place: Path) -> Path:
    """A home with runs that rest at their plan."""
    project = place / "project"
    project.mkdir()
    (project / "module.py").write_text('"""A module."""\n\n\ndef one() -> int:\n    return 1\n')
    async with OrchestratorModule("offline", home=place / "home", environ={}) as module:
        for _ in range(_RUNS):
            run = await module.orchestrators.create(
                template_id="documentation",
                cwd=project,
                message="Document every module",
                options=Options(auto_spawn=False),
            )
            await module.orchestrators.start(run.id)
            async for event in module.events(run.id):
                if event.type == "orchestrator:waiting":
                    break
            await module.orchestrators.pause(run.id)
    return place / "home"


def cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICK


def resident_mb(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


async def measure(place: Path, *, watchers: int, window_s: float) -> dict[str, Any]:
    home = await paused(place)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bigtask", "serve", "--port", "0", "--json"),
        env={**os.environ, "BIGTASK_HOME": str(home), "BIGTASK_CONFIG": os.devnull},
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        said = json.loads(await process.stdout.readline())
        token = Path(said["tokenFile"]).read_text().strip()
        async with AsyncExitStack() as stack:
            for _ in range(watchers):
                address = f"{said['url'].replace('http', 'ws', 1)}/api/ws"
                headers = {"Authorization": f"Bearer {token}"}
                way = await stack.enter_async_context(connect(address, additional_headers=headers))
                await way.send(json.dumps({"type": "subscribe", "orchestratorId": "*"}))
                await way.recv()
            await asyncio.sleep(2)  # what its beginning costs isn't meant
            began, used = now(), cpu_s(process.pid)
            await asyncio.sleep(window_s)
            share = (cpu_s(process.pid) - used) / (now() - began)
            return {
                "system": "bigtask",
                "variant": f"{watchers} watchers",
                "version": version("bigtask"),
                "workload": "idle server",
                "runs": _RUNS,
                "window_s": window_s,
                "cpu_percent": round(100 * share, 2),
                "rss_mb": round(resident_mb(process.pid), 1),
                "errors": [],
            }
    finally:
        process.send_signal(signal.SIGTERM)
        await process.wait()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--watchers", type=int, default=0)
    parser.add_argument("--window", type=float, default=30.0)
    options = parser.parse_args()
    with scratch() as place:
        found = measure(place, watchers=options.watchers, window_s=options.window)
        return tell(asyncio.run(found))


if __name__ == "__main__":
    sys.exit(main())
