"""A program that takes a prompt as JSON on its standard input and prints lines of JSON of its own kind.

`command_program.py SCRIPT SESSION [--continue] [--read-only]`
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

import msgspec
from playing import Kept, player, script_from

from bigtask.agents.protocol import Limited, Prompt, Text, TurnEnded, UsageReported


def say(**record: Any) -> None:
    sys.stdout.write(json.dumps(record) + "\n")
    sys.stdout.flush()


async def main(script: str, session: str, *options: str) -> int:
    kept = Kept(session)
    turns = kept.turns if "--continue" in options else 0
    if turns is None:
        sys.stderr.write(f"there is no session {session}\n")
        return 1
    kept.set(turns + 1)
    prompt = msgspec.json.decode(sys.stdin.buffer.read(), type=Prompt)
    playing = player(script_from(script), session, turns=turns, read_only="--read-only" in options)
    if "--continue" in options:
        await playing.send(prompt.text)
    say(type="begun", session=session)
    failed = 0
    async for event in playing.turn(prompt):
        match event:
            case Text():
                say(type="said", by="me", text=event.text, number=event.message)
            case UsageReported():
                used = {"in": event.input_tokens, "out": event.output_tokens}
                say(type="used", tokens=used, usd=event.cost_usd)
            case Limited():
                say(type="failed", error={"message": f"429: retry after {event.reset_s:g} s"})
                return 1
            case TurnEnded() if event.reason == "error":
                failed = 1
                say(type="failed", error={"message": event.detail})
            case TurnEnded():
                say(type="done")
    return failed


if __name__ == "__main__":
    sys.exit(asyncio.run(main(*sys.argv[1:])))
