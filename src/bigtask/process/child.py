"""A child process in a group of its own: started, fed, read, and ended with everything in its group."""

from __future__ import annotations

import array
import asyncio
import errno
import fcntl
import os
import signal
import termios
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from bigtask.errors import BigtaskError
from bigtask.process.identity import Identity
from bigtask.process.outputs import Ends, Lines

_STDIN, _STDOUT, _STDERR = 0, 1, 2
_REAP_S = 5.0
_GROUP_POLL_S = 0.01


class ProgramNotFound(BigtaskError):
    """The program can't be started here: it or its working directory is missing or may not be used."""


class Child(asyncio.SubprocessProtocol):
    """A child process with its pipes.

    asyncio's own `Process.wait` waits for the pipes as well in some versions, so that a descendant which
    keeps them open keeps us waiting. Here the exit alone counts: what lies in a pipe at that moment is all
    that the program itself can have written, so that many bytes are read and the rest is left.
    """

    def __init__(self, outputs: Mapping[int, Ends | Lines]) -> None:
        self._outputs = outputs
        self._open = set(outputs)
        self._full: set[int] = set()
        self._left: dict[int, int] = {}
        self._transport: asyncio.SubprocessTransport | None = None
        self._stdin_lost = False
        # A number that isn't known yet must not be signalled: 0 would be our own group.
        self._group_gone = True
        self.pid = 0
        self.printed = 0
        """Bytes that were read of all its outputs."""
        self.identity: Identity | None = None
        self.exited = asyncio.Event()
        self.drained = asyncio.Event()
        self.writable = asyncio.Event()
        self.writable.set()
        self._closed = asyncio.Event()

    @property
    def status(self) -> int:
        """-SIGKILL for one that the kernel didn't let go of in time."""
        code = self._transport.get_returncode() if self._transport else None
        return -int(signal.SIGKILL) if code is None else code

    @property
    def root(self) -> int:
        """The number of the process at the top of the tree: the program's, or its keeper's."""
        return self._transport.get_pid() if self._transport else 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.SubprocessTransport)
        self._transport = transport
        self.pid = transport.get_pid()
        self._group_gone = False

    def connection_lost(self, exc: Exception | None) -> None:
        self._closed.set()

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        if fd not in self._open:
            return
        self.printed += len(data)
        if fd in self._left:
            data = data[: self._left[fd]]
            self._left[fd] -= len(data)
        output = self._outputs[fd]
        output.feed(data)
        if self._left.get(fd) == 0:
            self._close_output(fd)
        elif output.full:
            self._full.add(fd)
            self._pipe(fd).pause_reading()

    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:
        if fd == _STDIN:
            self._stdin_lost = True
            self.writable.set()
        else:
            self._close_output(fd)

    def process_exited(self) -> None:
        self._program_exited()

    def _program_exited(self) -> None:
        self._stdin_lost = True
        self.writable.set()
        self.exited.set()
        self._note_group()
        # Chunks that were read but not handed over yet come before what is called soon. Nothing else is
        # read meanwhile, so that what the pipes still hold is counted exactly.
        for fd in self._open:
            self._pipe(fd).pause_reading()
        asyncio.get_running_loop().call_soon(self._count_what_is_left)

    def pause_writing(self) -> None:
        if not self._stdin_lost:
            self.writable.clear()

    def resume_writing(self) -> None:
        self.writable.set()

    def read_on(self, fd: int) -> None:
        if fd in self._full and fd in self._open:
            self._full.discard(fd)
            self._pipe(fd).resume_reading()

    def listen_for_room(self) -> None:
        """A reader of lines who has made room lets the pipe go on."""
        lines = self._outputs[_STDOUT]
        if isinstance(lines, Lines):
            lines.on_room = lambda: self.read_on(_STDOUT)

    def feed(self, data: bytes, *, strict: bool = False) -> None:
        if self._stdin_lost:
            if strict:
                raise BrokenPipeError(errno.EPIPE, "the program doesn't read its input any more")
        elif data:
            self._stdin().write(data)

    def close_input(self) -> None:
        # Closing lets what was written go out first.
        self._stdin().close()
        self._stdin_lost = True

    def signal_group(self, number: int) -> None:
        """Once the group is empty its number may be given to others: it's never signalled again."""
        if not self._group_gone:
            try:
                os.killpg(self.pid, number)
            except (ProcessLookupError, PermissionError):
                # PermissionError is what macOS says of a group of zombies.
                self._group_gone = True

    async def end(self, grace_s: float) -> None:
        try:
            self.close_input()
            await self._end_processes(grace_s)
            with suppress(TimeoutError):
                async with asyncio.timeout(_REAP_S):
                    await self.exited.wait()
        finally:
            for fd in tuple(self._open):
                self._close_output(fd)
            if self._stdin().get_write_buffer_size():
                # Closing waits until this is read, and perhaps nobody will.
                self._stdin().abort()
            self._close_transport()
            with suppress(TimeoutError):
                async with asyncio.timeout(_REAP_S):
                    await self._closed.wait()

    async def _end_processes(self, grace_s: float) -> None:
        self._note_group()
        if not self._group_gone:
            self.signal_group(signal.SIGTERM)
            try:
                with suppress(TimeoutError):
                    async with asyncio.timeout(grace_s):
                        await self._group_ended()
            finally:
                self.signal_group(signal.SIGKILL)

    def _close_transport(self) -> None:
        """Also kills the process if it still runs."""
        if self._transport:
            self._transport.close()

    async def _group_ended(self) -> None:
        await self.exited.wait()
        self._note_group()
        while not self._group_gone:
            # The kernel tells nobody when a group is empty.
            await asyncio.sleep(_GROUP_POLL_S)
            self._note_group()

    def _note_group(self) -> None:
        if self.exited.is_set():
            self.signal_group(0)

    def _count_what_is_left(self) -> None:
        for fd in tuple(self._open):
            pipe = self._pipe(fd)
            if pipe.is_closing():
                continue
            waiting = array.array("i", [0])
            fcntl.ioctl(pipe.get_extra_info("pipe").fileno(), termios.FIONREAD, waiting)
            self._left[fd] = waiting[0]
            if waiting[0] == 0:
                self._close_output(fd)
            elif fd not in self._full:
                pipe.resume_reading()
        self._note_drained()

    def _close_output(self, fd: int) -> None:
        if fd in self._open:
            self._open.discard(fd)
            self._outputs[fd].close()
            self._pipe(fd).close()
            self._note_drained()

    def _note_drained(self) -> None:
        if not self._open and self.exited.is_set():
            self.drained.set()

    def _pipe(self, fd: int) -> asyncio.ReadTransport:
        pipe = self._transport.get_pipe_transport(fd) if self._transport else None
        assert isinstance(pipe, asyncio.ReadTransport)
        return pipe

    def _stdin(self) -> asyncio.WriteTransport:
        pipe = self._transport.get_pipe_transport(_STDIN) if self._transport else None
        assert isinstance(pipe, asyncio.WriteTransport)
        return pipe


async def start(
    argv: Sequence[str], *, cwd: Path, env: Mapping[str, str], outputs: Mapping[int, Ends | Lines]
) -> Child:
    child = Child(outputs)
    loop = asyncio.get_running_loop()
    starting = asyncio.ensure_future(
        loop.subprocess_exec(
            lambda: child, *argv, cwd=cwd, env=dict(env), start_new_session=True, close_fds=True
        )
    )
    try:
        await asyncio.shield(starting)
    except asyncio.CancelledError:
        # It runs before we are told. asyncio would end it alone, and not what it has started by then.
        while not starting.done():
            with suppress(asyncio.CancelledError):
                await asyncio.wait([starting])
        if not starting.exception():
            await child.end(0)
        raise
    except OSError as error:
        raise not_started(argv[0], cwd, error) from error
    child.listen_for_room()
    return child


def not_started(program: str, cwd: Path, error: OSError) -> OSError | ProgramNotFound:
    """What to raise: the error itself when it isn't the program's fault or its folder's."""
    if error.errno == errno.ENOEXEC:
        return ProgramNotFound(f"{program} isn't a program that this machine can run: install the right one")
    if not isinstance(error, (FileNotFoundError, PermissionError, NotADirectoryError)):
        return error
    if not cwd.is_dir():
        return ProgramNotFound(f"{program} can't be started in {cwd}: make it a directory, or choose another")
    if isinstance(error, PermissionError):
        return ProgramNotFound(f"{program} may not be run: check its permissions and those of {cwd}")
    return ProgramNotFound(f"{program} wasn't found: install it, or put it on PATH")
