"""The child process: `python -m bigtask.agents.scripted SCRIPT`, speaking `bigtask.agents.wire`.

Exits with 0 at the end of its input, and with 2 and a sentence on standard error for a script that can't
be played.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from pathlib import Path

from bigtask.agents.protocol import Prompt, SessionEvent, TurnEnded
from bigtask.agents.scripted.player import Player
from bigtask.agents.scripted.script import Flood, load_script
from bigtask.agents.wire import Answered, Interrupt, Message, Request, decode_request, encode
from bigtask.errors import InvalidInput

_STDOUT, _STDERR = 1, 2
_CHUNK = 64 * 1024
_LINE = 120
_PIECE_S = 0.05
_LONGEST_REQUEST = 64 * 2**20


class _ChildProcess:
    """The stage of a process of its own, where every fault is real."""

    async def exit(self, code: int) -> None:
        os._exit(code)

    async def crash(self) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    async def flood(self, step: Flood) -> None:
        line = b"x" * _LINE + (b"\n" if step.lines else b"")
        chunk = line * (_CHUNK // len(line))
        left = step.bytes
        while left > 0:
            left -= len(chunk)
            await _print(chunk[: left + len(chunk)], to=_STDOUT if step.stream == "stdout" else _STDERR)
        await _print(b"\n", to=_STDOUT if step.stream == "stdout" else _STDERR)

    async def raw(self, text: str) -> None:
        await _print(text.encode(errors="replace") + b"\n")

    async def busy(self, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        # In pieces: an interruption has to be heard meanwhile.
        while (left := end - loop.time()) > 0:
            _reckon(min(left, _PIECE_S))
            await asyncio.sleep(0)

    async def hang_deaf(self) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        # Blocks the event loop on purpose: neither an interruption nor the end of input is heard.
        while True:
            signal.pause()


def _reckon(seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pass


async def _print(data: bytes, to: int = _STDOUT) -> None:
    # In a thread: whoever reads us may be slow, and an interruption has to be heard meanwhile.
    await asyncio.to_thread(_write_whole, data, to)


def _write_whole(data: bytes, to: int) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(to, rest) :]


async def _input() -> asyncio.StreamReader:
    reader = asyncio.StreamReader(limit=_LONGEST_REQUEST)
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin.buffer
    )
    return reader


async def _serve(player: Player) -> None:
    reader = await _input()
    turn: asyncio.Task[None] | None = None
    async with asyncio.TaskGroup() as turns:
        while line := await reader.readline():
            try:
                request: Request = decode_request(line)
            except ValueError as wrong:
                await _print(encode(TurnEnded(reason="error", detail=f"the request can't be read: {wrong}")))
                continue
            match request:
                case Prompt():
                    if turn is not None:
                        # Its end is said, and the task may still be on its way out.
                        await turn
                    turn = turns.create_task(_play(player.turn(request)))
                case Answered():
                    await player.answer(request.request_id, request.answer)
                case Message():
                    await player.send(request.text)
                case Interrupt():
                    await player.interrupt()
        if turn is not None:
            turn.cancel()


async def _play(events: AsyncGenerator[SessionEvent, None]) -> None:
    async with aclosing(events):
        async for event in events:
            await _print(encode(event))


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bigtask.agents.scripted", description="Play a script.")
    parser.add_argument("script", type=Path, help="a JSON file; its format is told in scripted/script.py")
    parser.add_argument("--name", default="scripted", help="the session's name")
    parser.add_argument("--turns-played", type=int, default=0, help="turns of the session that is continued")
    parser.add_argument("--read-only", action="store_true", help="write no files")
    options = parser.parse_args(argv)
    try:
        script = load_script(options.script)
    except InvalidInput as wrong:
        sys.stderr.write(f"{wrong.message}\n")
        return 2
    player = Player(
        script,
        name=options.name,
        cwd=Path.cwd(),
        stage=_ChildProcess(),
        read_only=options.read_only,
        turns_played=options.turns_played,
    )
    asyncio.run(_serve(player))
    return 0


if __name__ == "__main__":
    sys.exit(main())
