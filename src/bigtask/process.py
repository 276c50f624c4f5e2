"""The one place that starts programs: argument lists only, each in a process group of its own.

`run` is for a program that answers and ends, `running` for one that we talk with. Either way memory doesn't
grow with what the program prints, and nothing of its group outlives the call.
"""

from __future__ import annotations

import array
import asyncio
import errno
import fcntl
import os
import signal
import termios
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from bigtask.errors import BigtaskError

_INHERITED = frozenset({"PATH", "HOME", "LANG", "TERM", "TMPDIR", "USER", "LOGNAME", "SHELL", "TZ"})
_STDIN, _STDOUT, _STDERR = 0, 1, 2
_QUEUE_BYTES = 256 * 1024
_LINE_OVERHEAD = 64
_STDERR_TAIL = 16 * 1024
_REAP_S = 5.0
_GRACE_S = 2.0
_GROUP_POLL_S = 0.01


class ProgramNotFound(BigtaskError):
    """The program can't be started here: it or its working directory is missing or may not be used."""


@dataclass(frozen=True, kw_only=True)
class Finished:
    """How a program ended: `status` is its exit status, or minus the signal that ended it.

    `truncated` says that one of the outputs was longer than the limit and lost its middle.
    """

    status: int
    stdout: bytes
    stderr: bytes
    truncated: bool
    timed_out: bool


def minimal_env(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The few variables that a child needs of ours, and `extra` over them.

    An allow list: keys, tokens and settings of whatever started us don't reach a child by accident.
    """
    kept = {name: value for name, value in os.environ.items() if name in _INHERITED or name.startswith("LC_")}
    return {**kept, **(extra or {})}


async def run(
    argv: Sequence[str],
    *,
    cwd: Path,
    env: Mapping[str, str],
    timeout_s: float,
    input: bytes | None = None,
    limit_bytes: int = 65536,
) -> Finished:
    """Run a program to its end, keeping the first and the last half of `limit_bytes` of each output.

    Standard input is `input`, or at its end at once. A program that isn't done in time gets SIGTERM, then
    SIGKILL; so does one whose caller is cancelled. What it leaves running in its group ends with it.
    Raises `ProgramNotFound`.
    """
    outputs = {_STDOUT: _Ends(limit_bytes), _STDERR: _Ends(limit_bytes)}
    child = await _start(argv, cwd=cwd, env=env, outputs=outputs)
    timed_out, grace_s = False, _GRACE_S
    try:
        child.feed(input or b"")
        child.close_input()
        try:
            async with asyncio.timeout(timeout_s):
                await child.drained.wait()
            # It has ended by itself: what it left behind is owed no grace.
            grace_s = 0.0
        except TimeoutError:
            timed_out = True
    finally:
        await child.end(grace_s)
    out, err = outputs[_STDOUT], outputs[_STDERR]
    return Finished(
        status=child.status,
        stdout=out.kept(),
        stderr=err.kept(),
        truncated=out.lost or err.lost,
        timed_out=timed_out,
    )


@asynccontextmanager
async def running(
    argv: Sequence[str],
    *,
    cwd: Path,
    env: Mapping[str, str],
    grace_s: float = 2.0,
    line_limit: int = 4 * 2**20,
) -> AsyncIterator[Process]:
    """A program to talk with; leaving the block ends it and its group. Raises `ProgramNotFound`."""
    lines = _Lines(line_limit)
    errors = _Ends(2 * _STDERR_TAIL, head=0)
    child = await _start(argv, cwd=cwd, env=env, outputs={_STDOUT: lines, _STDERR: errors})
    process = Process(child, lines, errors, grace_s)
    try:
        yield process
    finally:
        await process.end()


class Process:
    """A running program. One consumer reads its lines."""

    def __init__(self, child: _Child, lines: _Lines, errors: _Ends, grace_s: float) -> None:
        self._child = child
        self._lines = lines
        self._errors = errors
        self._grace_s = grace_s

    @property
    def pid(self) -> int:
        """Also the id of its process group."""
        return self._child.pid

    @property
    def cut_lines(self) -> int:
        """How many lines were longer than the limit and lost their end."""
        return self._lines.cut

    @property
    def stderr_tail(self) -> bytes:
        """The last 16 KiB of standard error."""
        return self._errors.kept()[-_STDERR_TAIL:]

    async def write(self, data: bytes) -> None:
        """Waits while the program doesn't read. Raises BrokenPipeError once it can't be read any more."""
        self._child.feed(data, strict=True)
        await self._child.writable.wait()

    def close_input(self) -> None:
        """End of file on its standard input, for programs that finish by themselves then."""
        self._child.close_input()

    async def lines(self) -> AsyncIterator[bytes]:
        """Its lines without their newline, until it closes its output or exits.

        What it printed before it exited is all there, also when a descendant keeps the pipe open; what that
        descendant prints afterwards isn't.
        """
        while (line := await self._lines.next()) is not None:
            yield line

    async def wait(self) -> int:
        """The exit status, or minus the signal that ended it."""
        await self._child.exited.wait()
        return self._child.status

    async def end(self) -> None:
        """End it and its group: end of file, SIGTERM, and SIGKILL after the grace. Harmless when repeated."""
        await self._child.end(self._grace_s)


class _Ends:
    """The first and the last bytes of an output."""

    def __init__(self, limit: int, *, head: int | None = None) -> None:
        self._head_limit = limit // 2 if head is None else head
        self._tail_limit = limit - limit // 2
        self._head = bytearray()
        self._tail = bytearray()
        self.lost = False

    def feed(self, data: bytes) -> None:
        room = self._head_limit - len(self._head)
        if room > 0:
            self._head += data[:room]
            data = data[room:]
        self._tail += data
        # Trimmed at twice the limit, so that a byte is moved at most once on its way out.
        if len(self._tail) > 2 * self._tail_limit:
            self._trim()

    def kept(self) -> bytes:
        self._trim()
        return bytes(self._head + self._tail)

    def _trim(self) -> None:
        excess = len(self._tail) - self._tail_limit
        if excess > 0:
            del self._tail[:excess]
            self.lost = True

    def close(self) -> None:
        pass

    @property
    def full(self) -> bool:
        return False


class _Lines:
    """Lines of an output, for one reader; `full` asks the pipe to wait for that reader."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._queue: deque[bytes] = deque()
        self._queued = 0
        self._partial = bytearray()
        self._overlong = False
        self._closed = False
        self._changed = asyncio.Event()
        self.cut = 0
        self.on_room: Callable[[], None] = lambda: None

    @property
    def full(self) -> bool:
        return self._queued > _QUEUE_BYTES

    def feed(self, data: bytes) -> None:
        *whole, rest = data.split(b"\n")
        for piece in whole:
            self._take(piece)
            self._finish()
        self._take(rest)

    def close(self) -> None:
        if not self._closed:
            if self._partial or self._overlong:
                self._finish()
            self._closed = True
            self._changed.set()

    async def next(self) -> bytes | None:
        while not self._queue:
            if self._closed:
                return None
            self._changed.clear()
            await self._changed.wait()
        line = self._queue.popleft()
        self._queued -= len(line) + _LINE_OVERHEAD
        if not self.full:
            self.on_room()
        return line

    def _take(self, piece: bytes) -> None:
        room = self._limit - len(self._partial)
        self._partial += piece[:room]
        self._overlong = self._overlong or len(piece) > room

    def _finish(self) -> None:
        self.cut += self._overlong
        self._queue.append(bytes(self._partial))
        self._queued += len(self._partial) + _LINE_OVERHEAD
        self._partial = bytearray()
        self._overlong = False
        self._changed.set()


class _Child(asyncio.SubprocessProtocol):
    """A child process with its pipes.

    asyncio's own `Process.wait` waits for the pipes as well in some versions, so that a descendant which
    keeps them open keeps us waiting. Here the exit alone counts: what lies in a pipe at that moment is all
    that the program itself can have written, so that many bytes are read and the rest is left.
    """

    def __init__(self, outputs: Mapping[int, _Ends | _Lines]) -> None:
        self._outputs = outputs
        self._open = set(outputs)
        self._full: set[int] = set()
        self._left: dict[int, int] = {}
        self._transport: asyncio.SubprocessTransport | None = None
        self._stdin_lost = False
        # A number that isn't known yet must not be signalled: 0 would be our own group.
        self._group_gone = True
        self.pid = 0
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
            self._note_group()
            if not self._group_gone:
                self.signal_group(signal.SIGTERM)
                try:
                    with suppress(TimeoutError):
                        async with asyncio.timeout(grace_s):
                            await self._group_ended()
                finally:
                    self.signal_group(signal.SIGKILL)
            with suppress(TimeoutError):
                async with asyncio.timeout(_REAP_S):
                    await self.exited.wait()
        finally:
            for fd in tuple(self._open):
                self._close_output(fd)
            if self._stdin().get_write_buffer_size():
                # Closing waits until this is read, and perhaps nobody will.
                self._stdin().abort()
            if self._transport:
                self._transport.close()
            with suppress(TimeoutError):
                async with asyncio.timeout(_REAP_S):
                    await self._closed.wait()

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


async def _start(
    argv: Sequence[str], *, cwd: Path, env: Mapping[str, str], outputs: Mapping[int, _Ends | _Lines]
) -> _Child:
    child = _Child(outputs)
    loop = asyncio.get_running_loop()
    try:
        await loop.subprocess_exec(
            lambda: child, *argv, cwd=cwd, env=dict(env), start_new_session=True, close_fds=True
        )
    except (FileNotFoundError, PermissionError, NotADirectoryError) as error:
        raise ProgramNotFound(_why_not(argv[0], cwd, error)) from error
    except OSError as error:
        if error.errno != errno.ENOEXEC:
            raise
        raise ProgramNotFound(
            f"{argv[0]} isn't a program that this machine can run: install the right one"
        ) from error
    lines = outputs[_STDOUT]
    if isinstance(lines, _Lines):
        lines.on_room = lambda: child.read_on(_STDOUT)
    return child


def _why_not(program: str, cwd: Path, error: OSError) -> str:
    if not cwd.is_dir():
        return f"{program} can't be started in {cwd}: make it a directory, or choose another"
    if isinstance(error, PermissionError):
        return f"{program} may not be run: check its permissions and those of {cwd}"
    return f"{program} wasn't found: install it, or put it on PATH"
