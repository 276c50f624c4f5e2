"""Many short messages in one write: what a turn of the loop has for one client goes to the system at once.

Half of what a delivery costs is the call to the system. Clients see the same frames as without this.
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

_MOST = 64 * 1024
"""What is gathered at most; more is handed on, so that a client who doesn't read is noticed."""


class Gathered(asyncio.Transport):
    """A transport that holds back what is written until the end of the loop's turn."""

    def __init__(self, transport: asyncio.Transport) -> None:
        super().__init__()
        self._transport = transport
        self._loop = asyncio.get_running_loop()
        self._parts: list[Any] = []
        self._size = 0

    def write(self, data: Any) -> None:
        if not self._parts:
            self._loop.call_soon(self._hand_on)
        self._parts.append(data)
        self._size += len(data)
        if self._size >= _MOST:
            self._hand_on()

    def _hand_on(self) -> None:
        if self._parts:
            data, self._parts, self._size = b"".join(self._parts), [], 0
            self._transport.write(data)

    def close(self) -> None:
        self._hand_on()
        self._transport.close()

    def abort(self) -> None:
        self._transport.abort()

    def is_closing(self) -> bool:
        return self._transport.is_closing()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self._transport.get_extra_info(name, default)

    def get_write_buffer_size(self) -> int:
        return self._size + self._transport.get_write_buffer_size()

    def pause_reading(self) -> None:
        self._transport.pause_reading()

    def resume_reading(self) -> None:
        self._transport.resume_reading()


class GatheredSocket(WebSocketsSansIOProtocol):
    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as its base
        super().connection_made(Gathered(transport))
