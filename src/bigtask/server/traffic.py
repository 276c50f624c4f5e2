"""How much the server is used, for its metrics."""

from __future__ import annotations

from collections import Counter

from starlette.types import ASGIApp, Message, Receive, Scope, Send


class Traffic:
    def __init__(self) -> None:
        self.answers: Counter[int] = Counter()
        """By status."""
        self.sockets = 0
        """WebSockets that are open now."""
        self.streams = 0
        """Event streams that are open now."""
        self.told = 0
        """Events sent to WebSockets and streams."""
        self.dropped = 0
        """WebSockets that were cut because nobody read them."""


class Counting:
    """Counts what an application answers."""

    def __init__(self, app: ASGIApp, traffic: Traffic) -> None:
        self._app = app
        self._traffic = traffic

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._traffic.answers[message["status"]] += 1
            await send(message)

        await self._app(scope, receive, counted)
