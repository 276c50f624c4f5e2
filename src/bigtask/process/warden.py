"""A process that ends what we have started when we are killed: programs without a keeper, such as git, which
would otherwise go on in a repository that the next bigtask works in."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from bigtask.process.containment import capabilities
from bigtask.process.identity import owner
from bigtask.process.keeper import Order, encoded
from bigtask.process.kept import keeper_argv, keeper_env

_GRACE_S = 3.0
_ENDED_S = 5.0


@asynccontextmanager
async def warden() -> AsyncIterator[int | None]:
    """For the life of a holder; gives the warden's pid, or None where marks can't be found.

    If this process is killed meanwhile, programs that it started without a keeper end at once, and after
    three seconds whatever else of it is still there.
    """
    if not capabilities().marks:
        yield None
        return
    ours, theirs = socket.socketpair()
    with ours:
        with theirs:
            process = await asyncio.create_subprocess_exec(
                *keeper_argv(theirs.fileno()),
                cwd="/",
                env=keeper_env(),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
                start_new_session=True,
            )
        try:
            order = Order(
                argv=[], env={}, tag=owner(), cgroup="", subreaper=False, grace_ms=int(_GRACE_S * 1000)
            )
            with suppress(ConnectionError):
                ours.sendall(encoded(order))
            yield process.pid
        finally:
            with suppress(ConnectionError):
                ours.sendall(b"end\n")
            ours.close()
            try:
                async with asyncio.timeout(_ENDED_S):
                    await process.wait()
            except TimeoutError:
                process.kill()
                await process.wait()
