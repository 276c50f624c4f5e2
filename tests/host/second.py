"""Another process at a run, as another terminal would be. Prints a JSON object a line.

`second.py FOLDER hold` carries the run out: `{"held": true}`, then its events, until its stdin ends or the
run does. `follow` attaches instead (and holds when nobody does): `{"attached": held here}`, then events.
`ask JSON` sends one command: `{"seq"}` or `{"error", "message"}`. `take` only tries to hold: `{"held"}`,
until its stdin ends, or `{"error", "message"}`.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import msgspec

from bigtask.agents.table import AgentTable
from bigtask.core.commands import AnyCommand, Start
from bigtask.errors import BigtaskError, HolderGone
from bigtask.host.access import attach, hold
from bigtask.host.home import RunFolder
from bigtask.host.link import RunLink

WHO = "another terminal"


def say(value: Any) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(value) + b"\n")
    sys.stdout.buffer.flush()


async def tell(link: RunLink, after: int = 0) -> int:
    """Says the events until the run has ended or its holder has gone; the last one's number."""
    try:
        async for event in link.follow(after):
            say(event.public("run"))
            after = event.seq
            if event.type in ("orchestrator:completed", "orchestrator:error", "orchestrator:cancelled"):
                return -1
    except HolderGone:
        pass
    return after


async def main(folder: RunFolder, verb: str, given: str) -> None:
    agents = AgentTable()
    match verb:
        case "hold":
            async with hold(folder, agents, who=WHO) as link:
                await link.ask(Start())
                say({"held": True})
                await tell(link)
        case "follow":
            after = 0
            while after >= 0:
                async with attach(folder, agents, who=WHO) as link:
                    say({"attached": link.held_here})
                    after = await tell(link, after)
        case "ask":
            async with attach(folder, agents, who=WHO) as link:
                say({"seq": await link.ask(msgspec.json.decode(given, type=AnyCommand))})
        case "take":
            async with hold(folder, agents, who=WHO):
                say({"held": True})
                await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    try:
        asyncio.run(main(RunFolder(Path(sys.argv[1])), sys.argv[2], (sys.argv[3:] or [""])[0]))
    except BigtaskError as error:
        print(json.dumps({"error": type(error).__name__, "message": str(error)}))  # noqa: T201  # its result
