"""One running Claude Code: started, asked, listened to, interrupted, and ended with all that it started."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path

from claude_agent_sdk import ClaudeAgentOptions, ClaudeSDKClient, ClaudeSDKError, Message

from bigtask.agents.claude.transport import ProcessTransport
from bigtask.agents.protocol import PermissionAsked, SessionLost
from bigtask.core.liveness import Activity
from bigtask.process import running

_LINE_LIMIT = 16 * 2**20
_GRACE_S = 5.0
"""Claude Code ends its commands when it gets SIGTERM, which takes it a second or two."""
_EXIT_S = 2.0
_START_S = 55.0
_MOST_UNREAD = 256

# The SDK logs what it also raises; without any handler Python prints that into people's terminals.
logging.getLogger("claude_agent_sdk").addHandler(logging.NullHandler())


class Talk:
    """`heard` is for one reader. Everything else may be called from any task."""

    def __init__(self, client: ClaudeSDKClient, transport: ProcessTransport, heard: Heard) -> None:
        self._client = client
        self._transport = transport
        self.heard = heard

    @property
    def heard_at(self) -> float:
        """When the process last gave a sign of life, on the event loop's clock."""
        return self._transport.heard_at

    def activity(self) -> Activity:
        return self._transport.activity()

    async def say(self, text: str) -> None:
        """A process that is gone is no error here: whoever listens to the session is told of it."""
        with suppress(ClaudeSDKError):
            await self._client.query(text)

    async def interrupt(self, timeout_s: float) -> None:
        """Asks for it; that the turn has ended is heard. Raises nothing: a process that is gone or doesn't
        answer is told by what is heard, or isn't."""
        with suppress(TimeoutError, ClaudeSDKError, SessionLost):
            async with asyncio.timeout(timeout_s):
                await self._client.interrupt()


class Heard:
    """What came, in order, with room for a few: a reader that is slow makes Claude Code wait."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[Message | PermissionAsked | SessionLost] = asyncio.Queue(_MOST_UNREAD)

    async def put(self, item: Message | PermissionAsked | SessionLost) -> None:
        await self._queue.put(item)

    async def next(self) -> Message | PermissionAsked:
        """Raises `SessionLost` once all that came before was read, each time."""
        item = await self._queue.get()
        if isinstance(item, SessionLost):
            self._queue.put_nowait(item)
            raise item
        return item


@asynccontextmanager
async def talking(
    argv: Sequence[str],
    *,
    cwd: Path,
    env: Mapping[str, str],
    options: ClaudeAgentOptions,
    heard: Heard,
) -> AsyncIterator[Talk]:
    """Raises `SessionLost` where Claude Code ends before it is ready, with what it said, and
    `ProgramNotFound`."""
    async with AsyncExitStack() as stack:
        process = await stack.enter_async_context(
            running(argv, cwd=cwd, env=env, grace_s=_GRACE_S, line_limit=_LINE_LIMIT)
        )
        transport = ProcessTransport(process)
        client = ClaudeSDKClient(options, transport)
        try:
            await _connected(client)
            listening = asyncio.create_task(_listen(client, heard))
            try:
                yield Talk(client, transport, heard)
            finally:
                listening.cancel()
                await asyncio.wait([listening])
        finally:
            await client.disconnect()
            # At the end of its input it writes down the conversation and exits: whoever resumes needs that.
            with suppress(TimeoutError):
                async with asyncio.timeout(_EXIT_S):
                    await process.wait()


async def _connected(client: ClaudeSDKClient) -> None:
    # The SDK gives up after a minute itself, with an error that can't be told from a bug.
    try:
        async with asyncio.timeout(_START_S):
            await client.connect()
    except TimeoutError as silence:
        raise SessionLost(f"Claude Code wasn't ready within {_START_S:g} s of its start") from silence


async def _listen(client: ClaudeSDKClient, heard: Heard) -> None:
    try:
        async for message in client.receive_messages():
            await heard.put(message)
        lost = SessionLost("Claude Code ended in the middle of its session")
    except SessionLost as error:
        lost = error
    except ClaudeSDKError as error:
        lost = SessionLost(f"Claude Code can't be understood: {error}")
    await heard.put(lost)
