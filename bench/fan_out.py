"""What it costs to tell many watchers of a large run what happens: each gets every event of it.

--server bigtask: `bigtask serve`, to which a run of --tasks tasks belongs that is recorded already; each
watcher subscribes from the same place on and reads --events of them. --server starlette: an
application that sends texts of the same length in a plain loop, the least that the same stack needs. CPU is
the server's, from the first subscription to the last delivery. The watchers are one other process.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

from websockets.asyncio.client import connect

from bigtask.core.events import Event, Progress
from bigtask.host.log import SqliteLog
from bigtask.module import OrchestratorModule
from kit.command import tell
from kit.recording import now
from kit.scratch import scratch

_TICK = os.sysconf("SC_CLK_TCK")
_TEXT = "x" * 820

_PLAIN = """
import sys, uvicorn, socket, os
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute

async def tell(way):
    await way.accept()
    await way.receive_text()
    await way.send_text("subscribed")
    for number in range(int(sys.argv[1])):
        await way.send_text(sys.argv[2])
    await way.receive()

listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
app = Starlette(routes=[WebSocketRoute("/api/ws", tell)])
config = uvicorn.Config(app, log_config=None, access_log=False, lifespan="off", http="h11",
                        ws="websockets-sansio", ws_per_message_deflate=False)
uvicorn.Server(config).run([listener])
"""


async def large_run(place: Path, tasks: int, events: int) -> tuple[str, int]:
    """Its id, and the number of the event before the last `events`, a KB each."""
    project = place / "project"
    project.mkdir()
    (project / "module.py").write_text('"""A module."""\n')
    async with OrchestratorModule("offline", home=place / "home", environ={}) as module:
        run = await module.orchestrators.create(template_id="documentation", cwd=project, message="Document")
        folder = module.home.find(run.id)
    log = SqliteLog(folder.log)
    try:
        counts = {f"{_TEXT}{tasks}": tasks}
        told = [Event(run.seq + n, n, Progress(counts=counts, percent=50.0)) for n in range(1, events + 1)]
        await log.append(run.seq, told)
    finally:
        await log.close()
    return run.id, run.seq


def cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICK


async def watch(url: str, headers: dict[str, str], wish: str, events: int, begun: asyncio.Event) -> None:
    async with connect(url, additional_headers=headers, compression=None, open_timeout=60) as way:
        await begun.wait()
        await way.send(wish)
        for _ in range(events + 1):
            await way.recv()


async def measure(place: Path, options: argparse.Namespace) -> dict[str, Any]:
    run_id, after = await large_run(place, options.tasks, options.events)
    if options.server == "bigtask":
        argv = ["-m", "bigtask", "serve", "--port", "0", "--json"]
    else:
        argv = ["-c", _PLAIN, str(options.events), "x" * 1_024]
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *argv,
        env={**os.environ, "BIGTASK_HOME": str(place / "home"), "BIGTASK_CONFIG": os.devnull},
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        said = json.loads(await process.stdout.readline())
        if options.server == "bigtask":
            url = f"{said['url'].replace('http', 'ws', 1)}/api/ws"
            headers = {"Authorization": f"Bearer {Path(said['tokenFile']).read_text().strip()}"}
        else:
            url, headers = f"ws://127.0.0.1:{said}/api/ws", {}
        wish = json.dumps({"type": "subscribe", "orchestratorId": run_id, "after": after})
        begun = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            for _ in range(options.watchers):
                group.create_task(watch(url, headers, wish, options.events, begun))
            await asyncio.sleep(3)
            began, used = now(), cpu_s(process.pid)
            begun.set()
        wall_s, cpu = now() - began, cpu_s(process.pid) - used
        deliveries = options.watchers * options.events
        return {
            "system": options.server,
            "variant": "whole" if options.server == "bigtask" else "plain",
            "version": version(options.server),
            "workload": "fan",
            "tasks": options.tasks,
            "watchers": options.watchers,
            "deliveries": deliveries,
            "wall_s": round(wall_s, 3),
            "events_per_s": round(options.events / wall_s, 1),
            "cpu_us_per_delivery": round(1e6 * cpu / deliveries, 2),
            "errors": [],
        }
    finally:
        process.send_signal(signal.SIGTERM)
        await process.wait()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--server", choices=("bigtask", "starlette"), default="bigtask")
    parser.add_argument("--watchers", type=int, default=200)
    parser.add_argument("--events", type=int, default=500)
    parser.add_argument("--tasks", type=int, default=10_000)
    options = parser.parse_args()
    with scratch() as place:
        return tell(asyncio.run(measure(place, options)))


if __name__ == "__main__":
    sys.exit(main())
