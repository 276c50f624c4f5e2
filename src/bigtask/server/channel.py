"""The WebSocket: events of one run, of all runs or of none, for as long as somebody listens.

What clients say and hear, as JSON texts:

    {"type": "subscribe", "channel": "orchestrator", "orchestratorId": RUN or "*", "after": …}
                                                     ─> {"type": "subscribed", …}, then the events
    {"type": "subscribe", "channel": "system", "after": NUMBER}
    {"type": "unsubscribe", "channel": …, "orchestratorId": …}  ─> {"type": "unsubscribed", …}
    {"type": "ping"}                                 ─> {"type": "pong"}
    anything else                                    ─> {"type": "error", "message"}

`after` is the number of the last event that the client has seen of a run. For `*` it is an object of such
numbers by run; a run that isn't in it is told from its beginning.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import aclosing
from typing import Annotated, Any, Literal

import msgspec
from starlette.websockets import WebSocket, WebSocketDisconnect

from bigtask.errors import BigtaskError, InvalidInput
from bigtask.host.home import RunFolder
from bigtask.host.log_file import last_seq, looking
from bigtask.server.parts import Parts
from bigtask.server.patience import Patience

PROTOCOL = "bigtask"

TOO_SLOW = 4008
"""The code with which a client is dropped that doesn't read. It may come again and say what it has seen."""
UNREADABLE = 4000

_PATIENCE_S = 10.0
_GRACE_S = 5.0
_MOST = 64
_LONGEST = 256 * 1024
_LOOK_EVERY_S = 1.0
_IN_A_TURN = 16
"""So many messages go to one client before others have their turn; they are written together."""


class Wish(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    type: Literal["subscribe", "unsubscribe", "ping"]
    channel: Literal["orchestrator", "system"] = "orchestrator"
    orchestrator_id: Annotated[str, msgspec.Meta(max_length=64)] = ""
    after: int | dict[str, int] | None = None


_WISH = msgspec.json.Decoder(Wish)


class _TooSlow(Exception):
    """The client hasn't read for so long that it is dropped."""


class Conversation:
    """With one client. Nothing is kept for it but its places in the logs: what is on its way is at most what
    the system and one message hold."""

    def __init__(self, socket: WebSocket, parts: Parts) -> None:
        self._socket = socket
        self._parts = parts
        self._turn = asyncio.Lock()
        self._patience = Patience(_PATIENCE_S)
        self._sent = 0
        self._subscriptions: dict[str, asyncio.Task[None]] = {}

    async def hold(self) -> None:
        offered = self._socket.scope.get("subprotocols", ())
        await self._socket.accept(PROTOCOL if PROTOCOL in offered else None)
        self._parts.traffic.sockets += 1
        try:
            async with asyncio.TaskGroup() as group:
                listening = group.create_task(self._listen(group))
                listening.add_done_callback(lambda _: self._stop())
        except* _TooSlow:
            self._parts.traffic.dropped += 1
            await self._part(TOO_SLOW, "you didn't read: come again and say what you have seen")
        except* WebSocketDisconnect:
            pass
        finally:
            self._patience.end()
            self._parts.traffic.sockets -= 1

    def _stop(self) -> None:
        for task in self._subscriptions.values():
            task.cancel()

    async def _part(self, code: int, reason: str) -> None:
        try:
            async with asyncio.timeout(_GRACE_S):
                await self._socket.close(code, reason)
        except (TimeoutError, RuntimeError, WebSocketDisconnect):
            return  # the client reads nothing, not even the close

    async def _listen(self, group: asyncio.TaskGroup) -> None:
        while True:
            message = await self._socket.receive()
            if message["type"] == "websocket.disconnect":
                return
            given = message.get("text") or message.get("bytes") or b""
            if len(given) > _LONGEST:
                await self._part(UNREADABLE, "a message is too long")
                return
            try:
                await self._do(_WISH.decode(given), group)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
                await self._tell(
                    {
                        "type": "error",
                        "message": f"that can't be read: {error}. docs/events.md shows how to ask",
                    }
                )
            except BigtaskError as error:
                await self._tell({"type": "error", "message": str(error)})

    async def _do(self, wish: Wish, group: asyncio.TaskGroup) -> None:
        if wish.type == "ping":
            await self._tell({"type": "pong"})
            return
        key = wish.channel if wish.channel == "system" else wish.orchestrator_id
        about = {"channel": wish.channel, "orchestratorId": wish.orchestrator_id or None}
        before = self._subscriptions.pop(key, None)
        if before is not None:
            before.cancel()
            await asyncio.wait({before})
        if wish.type == "unsubscribe":
            await self._tell({"type": "unsubscribed", **about})
            return
        if len(self._subscriptions) >= _MOST:
            await self._tell(
                {"type": "error", "message": f"that is more than {_MOST} subscriptions: use * for all runs"}
            )
            return
        forwarding, after = self._forwarding(wish)
        await self._tell({"type": "subscribed", **about, "after": after})
        self._subscriptions[key] = group.create_task(forwarding())

    def _forwarding(self, wish: Wish) -> tuple[Callable[[], Coroutine[Any, Any, None]], Any]:
        """What tells the client, and from where on. Raises NotFound for a run that isn't there, InvalidInput
        for a place that can't be."""
        parts, after = self._parts, wish.after
        if wish.channel == "system":
            begin = after if isinstance(after, int) else parts.system.last
            return lambda: self._forward_system(begin), begin
        if wish.orchestrator_id == "*":
            if isinstance(after, int) and after:
                raise InvalidInput(
                    "numbers count within one run: for * give `after` as {RUN: NUMBER, …}, or 0"
                )
            places = {} if isinstance(after, int) else after
            if places is None:
                places = {folder.id: _last(parts, folder) for folder in parts.module.home.folders()}
            return lambda: self._forward_all(places), places
        number = after.get(wish.orchestrator_id) if isinstance(after, dict) else after
        folder = parts.folder(wish.orchestrator_id)
        return lambda: self._forward(folder, number or 0), number or 0

    async def _forward(self, folder: RunFolder, after: int) -> None:
        following = self._parts.module.following
        try:
            async with aclosing(following.follow(folder, after)) as events:
                async for event in events:
                    await self._send(following.text(folder.id, event).decode())
                    self._parts.traffic.told += 1
        except BigtaskError as error:
            await self._tell({"type": "error", "orchestratorId": folder.id, "message": str(error)})

    async def _forward_all(self, places: dict[str, int]) -> None:
        """Each run's events in their order; runs that are made meanwhile are followed as well."""
        followed: set[str] = set()
        async with asyncio.TaskGroup() as group:
            while True:
                for folder in self._parts.module.home.folders():
                    if folder.id not in followed:
                        followed.add(folder.id)
                        group.create_task(self._forward(folder, places.get(folder.id, 0)))
                await self._parts.module.custody.changed(_LOOK_EVERY_S)

    async def _forward_system(self, after: int) -> None:
        async with aclosing(self._parts.system.follow(after)) as texts:
            async for text in texts:
                await self._send(text.decode())
                self._parts.traffic.told += 1

    async def _tell(self, message: dict[str, Any]) -> None:
        await self._send(msgspec.json.encode(message).decode())

    async def _send(self, text: str) -> None:
        async with self._turn:
            try:
                await self._patience.bound(self._socket.send_text(text))
            except TimeoutError:
                raise _TooSlow from None
        self._sent += 1
        if self._sent % _IN_A_TURN == 0:
            # A client that reads quickly never makes this wait: others have their turn here, and that a
            # connection is lost is learnt.
            await asyncio.sleep(0)


def _last(parts: Parts, folder: RunFolder) -> int:
    link = parts.module.custody.local(folder.id)
    if link is not None:
        return link.holder.run.seq
    with looking(folder.log) as connection:
        return last_seq(connection) if connection is not None else 0
