"""The body of a request: read whole before the application sees it, within bounds."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from starlette.types import Message, Receive

from bigtask.server.envelope import JSON
from bigtask.server.refusal import Refusal

BODY_LIMIT = 8 * 1024 * 1024
_BODY_S = 30.0
_REST_S = 2.0
"""So long a client that was refused may still be sending."""


class Body:
    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._whole = False

    async def read(self, method: str, *, types: list[str], lengths: list[str]) -> Receive:
        """Where the application gets it. `types` and `lengths` are what the headers Content-Type and
        Content-Length say. Raises Refusal."""
        declared = int(lengths[0]) if len(lengths) == 1 and lengths[0].isdigit() else 0
        if declared > BODY_LIMIT:
            raise _too_long()
        body = await self._bounded()
        if body and not _is_json(types):
            raise Refusal(415, "bodies are JSON: send `Content-Type: application/json`")
        if body and method in ("GET", "HEAD"):
            raise Refusal(400, "a request that only looks has no body: leave it out")
        told = False

        async def again() -> Message:
            nonlocal told
            if told:
                return await self._receive()
            told = True
            return {"type": "http.request", "body": body, "more_body": False}

        return again

    async def discard(self) -> bool:
        """Takes what is left and keeps none of it. False where the client didn't come to its end in time.

        A connection that is closed on what nobody read is reset, and the answer is lost with it."""
        with suppress(TimeoutError, Refusal):
            async with asyncio.timeout(_REST_S):
                while not self._whole:
                    await self._part()
        return self._whole

    async def _bounded(self) -> bytes:
        parts: list[bytes] = []
        size = 0
        try:
            async with asyncio.timeout(_BODY_S):
                while not self._whole:
                    parts.append(await self._part())
                    size += len(parts[-1])
                    if size > BODY_LIMIT:
                        raise _too_long()
        except TimeoutError:
            raise Refusal(
                400, f"the body didn't arrive within {_BODY_S:.0f} seconds: send it at once"
            ) from None
        return b"".join(parts)

    async def _part(self) -> bytes:
        message = await self._receive()
        if message["type"] != "http.request":
            self._whole = True
            raise Refusal(400, "the connection ended in the middle of the body")
        self._whole = not message.get("more_body", False)
        part = message.get("body", b"")
        assert isinstance(part, bytes)
        return part


def _too_long() -> Refusal:
    return Refusal(400, f"the body is longer than {BODY_LIMIT >> 20} MiB: send less at a time")


def _is_json(types: list[str]) -> bool:
    if len(types) != 1:
        return False
    kind, _, parameters = types[0].lower().partition(";")
    return kind.strip() == JSON and parameters.strip() in ("", "charset=utf-8", 'charset="utf-8"')
