"""One socket to the debugger of one page: commands with their answers, and what the page tells by itself."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Self

import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

_OPEN_S = 5.0
_ANSWER_S = 20.0
MOST_BYTES = 64 * 2**20
"""Of one message."""
_STALE = (
    "Could not find object",
    "Cannot find context",
    "uniqueContextId not found",
    "Invalid remote object",
)
"""What is answered where the page was loaded anew in between: nothing was run."""

Heard = Callable[[str, Mapping[str, Any]], None]


class Away(Exception):
    """The page can't be reached just now. `ran` says whether what was asked for may have been done."""

    def __init__(self, why: str, *, ran: bool = True) -> None:
        super().__init__(why)
        self.ran = ran


class Connection:
    def __init__(self, socket: ClientConnection, heard: Heard) -> None:
        self._socket = socket
        self._heard = heard
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[Mapping[str, Any]]] = {}
        self._lost: str | None = None
        self._reading = asyncio.create_task(self._read())

    @classmethod
    async def open(cls, url: str, heard: Heard) -> Self:
        """`heard` gets the name and the parameters of each event. Raises Away."""
        try:
            # The person's proxies have no part in it; a page whose script runs long is none that has gone.
            socket = await connect(
                url,
                open_timeout=_OPEN_S,
                max_size=MOST_BYTES,
                ping_interval=None,
                proxy=None,
                close_timeout=1,
            )
        except (OSError, WebSocketException) as error:
            raise Away(f"its page can't be reached ({error})", ran=False) from error
        return cls(socket, heard)

    @property
    def lost(self) -> str | None:
        """Why nothing can be asked any more."""
        return self._lost

    async def command(
        self, method: str, parameters: Mapping[str, Any] | None = None, *, timeout_s: float = _ANSWER_S
    ) -> Mapping[str, Any]:
        """Raises Away, also where no answer comes: a page that has crashed gives none."""
        if self._lost is not None:
            raise Away(self._lost, ran=False)
        number = next(self._numbers)
        answer: asyncio.Future[Mapping[str, Any]] = asyncio.get_running_loop().create_future()
        self._waiting[number] = answer
        try:
            said = msgspec.json.encode({"id": number, "method": method, "params": parameters or {}})
            async with asyncio.timeout(timeout_s):
                await self._socket.send(said, text=True)
                told = await answer
        except WebSocketException as error:
            raise Away(self._lost or "its page has closed the connection") from error
        except TimeoutError:
            self._drop(f"its page hasn't answered for {timeout_s:g} s")
            raise Away(f"its page hasn't answered for {timeout_s:g} s") from None
        finally:
            del self._waiting[number]
        match told:
            case {"error": {"message": str(why)}}:
                raise Away(f"its page says: {why}", ran=not why.startswith(_STALE))
            case {"result": dict(result)}:
                return result
        raise Away("its page gives an answer that can't be read")

    async def close(self) -> None:
        self._drop("the connection was closed")
        self._reading.cancel()
        await asyncio.wait([self._reading])
        with suppress(OSError, WebSocketException):
            await self._socket.close()

    async def _read(self) -> None:
        try:
            async for message in self._socket:
                try:
                    self._take(msgspec.json.decode(message))
                except (msgspec.DecodeError, RecursionError):
                    continue
            self._drop("its page, or the application, was closed")
        except WebSocketException as error:
            self._drop(f"the connection to its page broke ({error})")

    def _take(self, told: Any) -> None:
        match told:
            case {"id": int(number)}:
                answer = self._waiting.get(number)
                if answer is not None and not answer.done():
                    answer.set_result(told)
            case {"method": "Inspector.targetCrashed"}:
                self._drop("its page has crashed: reload it, or restart the application")
            case {"method": str(name), "params": dict(parameters)}:
                self._heard(name, parameters)

    def _drop(self, why: str) -> None:
        if self._lost is not None:
            return
        self._lost = why
        for answer in self._waiting.values():
            if not answer.done():
                answer.set_exception(Away(why))
        self._heard("lost", {})
