"""A child process whose whole tree is held by a keeper: see `bigtask.process.keeper`.

We start the keeper, and it starts the program on the pipes that it was given. It costs some 20 ms and 10 MB,
so it's for what starts programs of its own choosing: agents, a project's commands.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from bigtask.process import leftovers, proc
from bigtask.process.child import Child, ProgramNotFound, not_started
from bigtask.process.containment import Containment
from bigtask.process.identity import Identity
from bigtask.process.keeper import Order, encoded
from bigtask.process.outputs import Ends, Lines

_STARTED_S = 30.0
_KILLED_S = 5.0
_ORPHAN_GRACE_S = 2.0
"""Within five seconds after we were killed nothing is left."""

_LIBRARIES = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")
_PROCESS = Path(__file__).parent
_BOOT = """
import sys
for name, place in zip(("bigtask", "bigtask.process"), sys.argv[2:]):
    package = sys.modules[name] = type(sys)(name)
    package.__path__ = [place]
from bigtask.process.keeper import main
main(int(sys.argv[1]))
"""
"""The packages are entered without what their `__init__` imports: that takes longer than all the rest."""


def keeper_argv(control: int) -> list[str]:
    """Isolated: nothing of the session's environment or folder changes what the keeper does."""
    return [sys.executable, "-I", "-S", "-c", _BOOT, str(control), str(_PROCESS.parent), str(_PROCESS)]


def keeper_env() -> dict[str, str]:
    """An interpreter may need to be told where its own libraries are. Nothing else of our environment."""
    return {name: os.environ[name] for name in _LIBRARIES if name in os.environ}


class KeptChild(Child):
    """`exited` and `status` are the program's; the process that asyncio waits for is its keeper."""

    def __init__(self, outputs: Mapping[int, Ends | Lines], control: socket.socket, tag: str) -> None:
        super().__init__(outputs)
        self._control = control
        self._tag = tag
        self._heard = b""
        self._status: int | None = None
        self._tree_ended = False
        self._let_go = False
        self._keeper_exited = asyncio.Event()
        self._beginning: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    @property
    def status(self) -> int:
        """-SIGKILL for one whose keeper was killed: the kernel ends both."""
        return -int(signal.SIGKILL) if self._status is None else self._status

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        # The group that we may signal isn't the keeper's, and the program's is the keeper's to signal.
        self._group_gone = True
        asyncio.get_running_loop().add_reader(self._control.fileno(), self._hear)

    async def begin(self, order: Order) -> int:
        """0 when the program runs, else the errno of why it couldn't be started."""
        loop = asyncio.get_running_loop()
        with suppress(ConnectionError):
            await loop.sock_sendall(self._control, encoded(order))
        async with asyncio.timeout(_STARTED_S):
            return await self._beginning

    def process_exited(self) -> None:
        # The last words of the keeper are still in the socket.
        while self._hear():
            pass
        self._keeper_exited.set()
        if not self.exited.is_set():
            self._program_exited()
        if self._let_go:
            super()._close_transport()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self.hang_up()

    async def _end_processes(self, grace_s: float) -> None:
        loop = asyncio.get_running_loop()
        self._ask_to_end(grace_s)
        deadline = loop.time() + grace_s + _KILLED_S
        cancelled: asyncio.CancelledError | None = None
        while not self._keeper_exited.is_set() and loop.time() < deadline:
            try:
                with suppress(TimeoutError):
                    async with asyncio.timeout_at(deadline):
                        await self._keeper_exited.wait()
            except asyncio.CancelledError as again:
                # No more grace then. The end is near and is seen to, however often we are asked.
                self._ask_to_end(0)
                deadline = min(deadline, loop.time() + _KILLED_S)
                cancelled = again
        if self._keeper_exited.is_set() and not self._tree_ended:
            await self._sweep()
        if cancelled:
            raise cancelled

    async def _sweep(self) -> None:
        """Somebody has killed the keeper, and the program with it, but not what that had started."""
        group = self.identity.cgroup if self.identity else ""
        await asyncio.to_thread(leftovers.end_session, self._tag, group)

    def _close_transport(self) -> None:
        if self._keeper_exited.is_set():
            super()._close_transport()
        else:
            # It waits for what the kernel doesn't let go of. Closing would kill it and free them.
            self._let_go = True
            self._closed.set()

    def _ask_to_end(self, grace_s: float) -> None:
        if self._control.fileno() >= 0:
            with suppress(OSError):
                self._control.send(f"end {int(grace_s * 1000)}\n".encode())
                if not self._beginning.done():
                    # The keeper may have read half of its order, and would wait for the rest.
                    self._control.shutdown(socket.SHUT_WR)

    def _hear(self) -> bool:
        """Whether there may be more."""
        if self._control.fileno() < 0:
            return False
        try:
            piece = self._control.recv(4096)
        except BlockingIOError:
            return False
        except ConnectionError:
            piece = b""
        if not piece:
            self.hang_up()
            return False
        *lines, self._heard = (self._heard + piece).split(b"\n")
        for line in lines:
            word, _, rest = line.decode().partition(" ")
            self._take(word, rest)
        return True

    def _take(self, word: str, rest: str) -> None:
        match word:
            case "started":
                pid, started, group = rest.split(" ", 2)
                self.pid = int(pid)
                self.identity = Identity(
                    boot_id=proc.boot_id(), pid=self.pid, started=int(started), tag=self._tag, cgroup=group
                )
                self._begun(0)
            case "failed":
                self._begun(int(rest))
            case "exited":
                self._status = int(rest)
                self._program_exited()
            case "ended":
                self._tree_ended = True

    def hang_up(self) -> None:
        """The keeper, if it's there, ends its tree by itself then."""
        if self._control.fileno() >= 0:
            asyncio.get_running_loop().remove_reader(self._control.fileno())
            self._control.close()
        self._begun(0)

    def _begun(self, number: int) -> None:
        if not self._beginning.done():
            self._beginning.set_result(number)


async def start_kept(
    argv: Sequence[str],
    *,
    cwd: Path,
    env: Mapping[str, str],
    outputs: Mapping[int, Ends | Lines],
    tag: str,
    containment: Containment,
    grace_s: float,
) -> KeptChild:
    """`grace_s`, at most two seconds of it, counts if we are killed.

    Raises `ProgramNotFound`, and ValueError for what no program can be given.
    """
    _require_passable(argv, env)
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    child = KeptChild(outputs, ours, tag)
    loop = asyncio.get_running_loop()
    with theirs:
        try:
            await loop.subprocess_exec(
                lambda: child,
                *keeper_argv(theirs.fileno()),
                cwd=cwd,
                env={**keeper_env(), proc.TAG: tag},
                pass_fds=(theirs.fileno(),),
                start_new_session=True,
            )
        except BaseException as error:
            child.hang_up()
            if isinstance(error, OSError):
                raise not_started(argv[0], cwd, error) from error
            raise
    child.listen_for_room()
    order = Order(
        argv=[os.fspath(argument) for argument in argv],
        env={**env, proc.TAG: tag},
        tag=tag,
        cgroup=containment.cgroup or "",
        subreaper=containment.subreaper,
        grace_ms=int(min(grace_s, _ORPHAN_GRACE_S) * 1000),
    )
    try:
        number = await child.begin(order)
    except TimeoutError:
        await child.end(0)
        raise ProgramNotFound(
            f"{argv[0]} hadn't started after {_STARTED_S:.0f} s: try again when the machine is less busy"
        ) from None
    except BaseException:
        await child.end(0)
        raise
    if number:
        await child.end(0)
        # The number makes it the kind of error that starting it ourselves would have raised.
        raise not_started(argv[0], cwd, OSError(number, os.strerror(number)))
    return child


def _require_passable(argv: Sequence[str], env: Mapping[str, str]) -> None:
    """Raises ValueError as starting the program ourselves would: the keeper could only say that it failed."""
    if not argv:
        raise ValueError("a program needs a name")
    if any(b"\0" in os.fsencode(word) for word in (*argv, *env, *env.values())):
        raise ValueError("embedded null byte")
    if any("=" in name for name in env):
        raise ValueError("illegal environment variable name")
