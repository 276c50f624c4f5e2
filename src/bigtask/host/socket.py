"""The socket of a run: how other processes reach its holder.

Each line is a JSON object. A request is `{"verb": …}`: a command of `bigtask.core.commands` by its verb, or
one of `follow`, `say`, `pauseTask`, `merge`, `foreseeMerge`, `undoMerge`, `diff`, `changes`. The answer
is `{"ok": …}` or `{"error": name, "message": …}`; `follow` is answered by `{"seq", "at", "type", "data"}` for
each event and `{"end": true}`, or an error when the holder ends meanwhile.

An answer can get lost when the connection is cut or the holder dies, and then nobody knows what was done.
So commands go with an `id`, which is recorded in one piece with what the command led to: asked again under
it, the same holder or the next one answers and does nothing twice.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from bigtask import errors
from bigtask.core.commands import AnyCommand
from bigtask.core.events import Event, decode, encode
from bigtask.errors import BigtaskError, HolderGone, InvalidInput, RunBusy
from bigtask.host.holder import Holder
from bigtask.host.link import LocalLink, named
from bigtask.workspaces.changes import FileChange
from bigtask.workspaces.forecast import Forecast

_LONGEST_LINE = 8 * 1024 * 1024
_PATH_LIMIT = 100
_PATIENCE_S = 3.0
"""How long a run may be without a holder before those who ask again are told."""
_PAUSE_S = 0.05

T = TypeVar("T")

_COMMAND = msgspec.json.Decoder(AnyCommand)


@asynccontextmanager
async def serve(holder: Holder, path: Path) -> AsyncIterator[None]:
    """Others reach the holder through the socket at `path` while the block runs."""
    link = LocalLink(holder)

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.CancelledError):
            try:
                await _converse(link, reader, writer)
            finally:
                writer.close()

    path.unlink(missing_ok=True)
    with _address(path) as address:
        server = await asyncio.start_unix_server(talk, address, limit=_LONGEST_LINE)
    os.chmod(path, 0o600)
    try:
        yield
    finally:
        server.close()
        path.unlink(missing_ok=True)


async def _converse(link: LocalLink, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while True:
        try:
            line = await reader.readline()
        except ValueError:
            return
        if not line.endswith(b"\n"):
            return  # the end of the connection, perhaps in the middle of a request: not asked, not done
        try:
            request = json.loads(line)
            if request.get("verb") == "follow":
                await _stream(
                    link, int(request.get("after", 0)), stay=bool(request.get("stay", True)), writer=writer
                )
                return
            answer: dict[str, Any] = {"ok": await _handle(link, request, line)}
        except BigtaskError as error:
            answer = {"error": type(error).__name__, "message": str(error)}
        except (ValueError, TypeError, AttributeError) as error:
            answer = {"error": "InvalidInput", "message": f"that isn't a request: {error}"}
        writer.write(json.dumps(answer).encode() + b"\n")
        await writer.drain()


async def _handle(link: LocalLink, request: dict[str, Any], line: bytes) -> Any:
    match request:
        case {"verb": "say", "taskId": str(task_id), "text": str(text)}:
            return await link.say(task_id, text)
        case {"verb": "pauseTask", "taskId": str(task_id)}:
            return await link.pause_task(task_id)
        case {"verb": "merge"}:
            return await link.merge(by=str(request.get("by", "")))
        case {"verb": "foreseeMerge"}:
            return msgspec.to_builtins(await link.foresee_merge())
        case {"verb": "undoMerge"}:
            return await link.undo_merge(by=str(request.get("by", "")))
        case {"verb": "diff"}:
            return await link.diff(request.get("taskId"))
        case {"verb": "changes"}:
            return msgspec.to_builtins(await link.changes(request.get("taskId")))
        case _:
            try:
                command = _COMMAND.decode(line)
            except msgspec.DecodeError as error:
                raise InvalidInput(f"that isn't a command: {error}") from None
            return await link.ask(command)


async def _stream(link: LocalLink, after: int, *, stay: bool, writer: asyncio.StreamWriter) -> None:
    """Backpressure is the socket's: a follower that doesn't read is simply behind."""
    async for event in link.follow(after, stay=stay):
        row = {"seq": event.seq, "at": event.at, "type": event.type}
        writer.write(json.dumps(row).encode()[:-1] + b', "data": ' + encode(event.data) + b"}\n")
        await writer.drain()
    writer.write(b'{"end": true}\n')
    await writer.drain()


class SocketLink:
    held_here = False

    def __init__(self, path: Path) -> None:
        self._path = path

    async def _request(self, request: dict[str, Any] | bytes) -> Any:
        async with self._connection() as (reader, writer):
            writer.write((request if isinstance(request, bytes) else json.dumps(request).encode()) + b"\n")
            await writer.drain()
            line = await reader.readline()
        if not line.endswith(b"\n"):
            raise HolderGone("the process that held the run ended before it answered")
        answer = json.loads(line)
        if "error" in answer:
            raise _error(answer["error"], answer["message"])
        return answer["ok"]

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        try:
            with _address(self._path) as address:
                reader, writer = await asyncio.open_unix_connection(address, limit=_LONGEST_LINE)
        except OSError:
            raise HolderGone("nobody answers for the run") from None
        try:
            yield reader, writer
        except ConnectionError:
            raise HolderGone("the process that held the run ended") from None
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

    async def answers(self) -> bool:
        """Whether somebody is there."""
        try:
            async with self._connection():
                return True
        except HolderGone:
            return False

    async def ask(self, command: AnyCommand) -> int:
        line = msgspec.json.encode(named(command))
        return int(await self._again(lambda: self._request(line)))

    async def _again(self, request: Callable[[], Awaitable[T]]) -> T:
        """For what may be asked twice: until somebody has answered it."""
        loop = asyncio.get_running_loop()
        deadline = None
        while True:
            try:
                return await request()
            except HolderGone:
                deadline = deadline or loop.time() + _PATIENCE_S
                if loop.time() > deadline:
                    raise
            await asyncio.sleep(_PAUSE_S)

    async def follow(self, after: int = 0, *, stay: bool = True) -> AsyncIterator[Event]:
        async with self._connection() as (reader, writer):
            writer.write(json.dumps({"verb": "follow", "after": after, "stay": stay}).encode() + b"\n")
            await writer.drain()
            # A holder that is killed leaves the beginning of a line.
            while (line := await reader.readline()).endswith(b"\n"):
                row = json.loads(line)
                if "end" in row:
                    return
                if "error" in row:
                    raise _error(row["error"], row["message"])
                data = decode(row["type"], msgspec.json.encode(row["data"]))
                yield Event(row["seq"], row["at"], data)
        raise HolderGone("the process that held the run ended")

    async def say(self, task_id: str, text: str) -> None:
        await self._request({"verb": "say", "taskId": task_id, "text": text})

    async def pause_task(self, task_id: str) -> None:
        await self._request({"verb": "pauseTask", "taskId": task_id})

    async def merge(self, *, by: str = "") -> dict[str, Any]:
        return dict(await self._again(lambda: self._request({"verb": "merge", "by": by})))

    async def undo_merge(self, *, by: str = "") -> dict[str, Any]:
        return dict(await self._request({"verb": "undoMerge", "by": by}))

    async def diff(self, task_id: str | None = None) -> str:
        return str(await self._request({"verb": "diff", "taskId": task_id}))

    async def foresee_merge(self) -> Forecast:
        return msgspec.convert(await self._request({"verb": "foreseeMerge"}), Forecast)

    async def changes(self, task_id: str | None = None) -> tuple[FileChange, ...]:
        found = await self._request({"verb": "changes", "taskId": task_id})
        return msgspec.convert(found, tuple[FileChange, ...])


_ERRORS: dict[str, type[BigtaskError]] = {
    kind.__name__: kind
    for kind in (
        errors.InvalidInput,
        errors.NotFound,
        errors.Forbidden,
        errors.Conflict,
        errors.HolderGone,
    )
}


def _error(name: str, message: str) -> BigtaskError:
    """The same kind of error on this side, or the nearest that is made from a sentence alone."""
    near = {"InvalidAnswer": "InvalidInput", "InvalidPlan": "InvalidInput", "StaleRevision": "Conflict"}
    return _ERRORS.get(near.get(name, name), BigtaskError)(message)


@contextmanager
def _address(path: Path) -> Iterator[str]:
    """A name for a socket that fits into the 108 bytes that the system has for one."""
    whole = str(path)
    if len(whole.encode()) <= _PATH_LIMIT:
        yield whole
        return
    if not Path("/proc/self/fd").exists():
        raise RunBusy(f"{whole} is too long for a socket: set BIGTASK_HOME to a shorter path")
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)
