"""Nothing that Claude Code started outlives its session, however that ends."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from bigtask.agents.protocol import Session, SessionLost, ToolCall
from bigtask.process import minimal_env
from claude.rows import cli_of
from claude.setting import PROMPT, Setting, needs_claude, setting
from claude.stub import Call, Reply, in_order

pytestmark = pytest.mark.integration
TESTS = Path(__file__).parents[1]
_WAITS_S = 30


def bash(marker: Path) -> Call:
    """A command in a session and process group of its own that says who it is and stays."""
    code = f"import os, time; open({str(marker)!r}, 'w').write(str(os.getpid())); time.sleep(600)"
    return Call(name="Bash", input={"command": f'python3 -c "{code}"', "timeout": 600_000})


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


async def until(holds: Callable[[], object]) -> None:
    async with asyncio.timeout(_WAITS_S):
        while not holds():  # noqa: ASYNC110 - files and strangers' processes tell nobody that they changed
            await asyncio.sleep(0.02)


async def command_of(place: Setting) -> int:
    marker = place.folder / "marker"
    await until(lambda: marker.exists() and marker.read_text())
    return int(marker.read_text())


async def test_closing_a_session_ends_the_command_that_runs() -> None:
    needs_claude()
    with setting(in_order(Reply())) as place:
        place.stub.script = in_order(Reply(blocks=[bash(place.folder / "marker")]))
        async with (
            asyncio.timeout(90),
            place.agent().session(place.opening(permission_mode="all")) as session,
        ):
            async for event in session.turn(PROMPT):
                if isinstance(event, ToolCall):
                    break
            command, cli = await command_of(place), cli_of(session.id)
        assert not is_running(cli)
        assert not is_running(command)


async def test_a_killed_claude_takes_its_command_along() -> None:
    """Claude Code, killed, can end nothing any more; its commands are in sessions of their own."""
    needs_claude()
    with setting(in_order(Reply())) as place:
        place.stub.script = in_order(Reply(blocks=[bash(place.folder / "marker")]))
        commands: list[int] = []

        async def kill_it_at_work(session: Session) -> None:
            async for event in session.turn(PROMPT):
                if isinstance(event, ToolCall):
                    commands.append(await command_of(place))
                    os.kill(cli_of(session.id), signal.SIGKILL)

        async with (
            asyncio.timeout(90),
            place.agent().session(place.opening(permission_mode="all")) as session,
        ):
            with pytest.raises(SessionLost, match="SIGKILL"):
                await kill_it_at_work(session)
        assert commands
        await until(lambda: not is_running(commands[0]))


_HOLDER = """
import asyncio, json, sys
from pathlib import Path
from bigtask.agents.claude.agent import ClaudeAgent
from bigtask.agents.protocol import Opening, Prompt
environ, cwd, env = json.loads(sys.argv[1])
async def main():
    opening = Opening(name="s", cwd=Path(cwd), env=env, permission_mode="all")
    async with ClaudeAgent(environ).session(opening) as session:
        print(session.id, flush=True)
        async for _ in session.turn(Prompt(text="Do it.", phase="workerExecution", variables={}, nonce="n")):
            pass
asyncio.run(main())
"""


@pytest.mark.parametrize("blow", [signal.SIGKILL, signal.SIGTERM])
async def test_a_holder_that_is_killed_takes_claude_along(blow: signal.Signals) -> None:
    needs_claude()
    with setting(in_order(Reply())) as place:
        place.stub.script = in_order(Reply(blocks=[bash(place.folder / "marker")]))
        opening = place.opening()
        given = json.dumps([place.environ, str(opening.cwd), dict(opening.env)])
        holder = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            _HOLDER,
            given,
            env=minimal_env({"HOME": str(place.folder)}),
            stdout=asyncio.subprocess.PIPE,
        )
        try:
            assert holder.stdout is not None
            session = (await holder.stdout.readline()).decode().strip()
            command = await command_of(place)
            cli = cli_of(session)
        finally:
            holder.send_signal(blow)
            await holder.wait()
        await until(lambda: not is_running(cli))
        await until(lambda: not is_running(command))
