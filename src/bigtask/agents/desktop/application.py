"""The application as its sessions use it: attached once for all of them, and found again when its page was
loaded anew or the whole of it was restarted."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple, TypeVar

import msgspec
from websockets.exceptions import WebSocketException
from websockets.sync.client import connect

from bigtask.agents.desktop.connection import Away, Connection
from bigtask.agents.desktop.endpoint import Endpoint, Target, targets
from bigtask.agents.desktop.surface import (
    BINDING,
    CALL,
    HANDSHAKE,
    LOOK,
    MOST_ROWS,
    REQUIRED,
    WATCH,
    Seen,
    require,
    seen,
)
from bigtask.agents.protocol import SessionLost
from bigtask.errors import AgentUnavailable

PATIENCE_S = 60.0
"""How long the application may be away while sessions go on there."""
_AGAIN_S = 0.25
_BURST_S = 0.01
_LOOK_OVER_S = 3.0
_SHAKING_S = 5.0
"""A page that has crashed says nothing, and one that is being loaded takes a while."""
_SHAKING = {
    "expression": f"({HANDSHAKE})({msgspec.json.encode(REQUIRED).decode()})",
    "returnByValue": True,
    "awaitPromise": True,
}


_T = TypeVar("_T")


class Refused(Exception):
    """A function of the page has thrown: it was run, and this is what it said."""


class _Wanted(NamedTuple):
    """A look at a session, with what is found, or what was in the way."""

    id: str
    after: str | None
    answer: asyncio.Future[Any]


class Application:
    """For sessions of one event loop. `patience_s` is for an application that was there before."""

    def __init__(self, endpoint: Endpoint, *, patience_s: float = PATIENCE_S) -> None:
        self._endpoint = endpoint
        self._patience_s = patience_s
        self._connection: Connection | None = None
        self._page: str | None = None
        self._attaching = asyncio.Lock()
        self._known = False
        self._pushes = False
        self._news: defaultdict[str, set[asyncio.Event]] = defaultdict(set)
        self._heard_of: set[str] = set()
        self._burst: asyncio.TimerHandle | None = None
        self._wanted: list[_Wanted] = []

    @property
    def pushes(self) -> bool:
        """Whether there is news by `listening`; else one has to look now and then."""
        return self._pushes

    @contextmanager
    def listening(self, id: str, news: asyncio.Event) -> Iterator[None]:
        """`news` is set whenever there may be news of that session."""
        self._news[id].add(news)
        try:
            yield
        finally:
            self._news[id].discard(news)
            if not self._news[id]:
                del self._news[id]

    async def require(self) -> None:
        """Raises AgentUnavailable where it isn't there, or SessionLost where it was and doesn't come back."""
        if self._known:
            await self._until_told(self._attached)
            return
        try:
            await self._attached()
        except Away:
            # As of a page that was just being loaded.
            try:
                await self._attached()
            except Away as away:
                raise AgentUnavailable(f"Claude Desktop can't be used: {away}") from away

    async def look(self, id: str, after: str | None) -> Seen | None:
        """The session of this id or title, with its rows after the one of that `uuid`; None where there is
        none. Asked again until it can be told.

        Raises SessionLost where that takes longer than the patience lasts.
        """

        async def look() -> Seen | None:
            return seen(await self._looked(id, after))

        return await self._until_told(look)

    async def _looked(self, id: str, after: str | None) -> Any:
        """Whoever is the first to want to looks for all that want to before the loop goes round. Raises
        Refused and Away."""
        mine = _Wanted(id, after, asyncio.get_running_loop().create_future())
        self._wanted.append(mine)
        if len(self._wanted) == 1:
            await self._look_for(self._wanted)
        match await mine.answer:
            case Away() | Refused() as error:
                raise error
            case {"error": str(why)}:
                raise Refused(why)
            case told:
                return told

    async def _look_for(self, wanted: list[_Wanted]) -> None:
        told: Sequence[Any] | Away | Refused = Away("whoever was looking was broken off", ran=False)
        try:
            await asyncio.sleep(0)
            self._wanted = []
            told = await self._run(LOOK, [(each.id, each.after) for each in wanted], MOST_ROWS)
        except (Away, Refused) as error:
            told = error
        finally:
            if self._wanted is wanted:
                self._wanted = []
            for number, each in enumerate(wanted):
                if not each.answer.done():
                    each.answer.set_result(told if isinstance(told, Exception) else told[number])

    async def _until_told(self, asking: Callable[[], Awaitable[_T]]) -> _T:
        loop = asyncio.get_running_loop()
        until = loop.time() + self._patience_s
        while True:
            try:
                return await asking()
            except (Away, AgentUnavailable, Refused) as error:
                if loop.time() >= until:
                    raise SessionLost(
                        f"Claude Desktop was away for {self._patience_s:g} s in the middle of a session: "
                        f"{error}"
                    ) from error
            await asyncio.sleep(_AGAIN_S)

    async def ask(self, name: str, *arguments: Any) -> Any:
        """What that function of LocalSessions answers. Asked again until it can be asked, but never once it
        may have been done.

        Raises Refused; and Away, which says whether it may have been done.
        """
        loop = asyncio.get_running_loop()
        until = loop.time() + self._patience_s
        while True:
            try:
                return await self._run(CALL, name, arguments)
            except Away as away:
                if away.ran or loop.time() >= until:
                    raise
            await asyncio.sleep(_AGAIN_S)

    async def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()

    async def _run(self, function: str, *arguments: Any) -> Any:
        try:
            connection, page = await self._attached()
        except (AgentUnavailable, Away, Refused) as error:
            # Whatever broke off then, it wasn't what is asked for here.
            raise Away(str(error), ran=False) from error
        try:
            told = await connection.command(
                "Runtime.callFunctionOn",
                {
                    "objectId": page,
                    "functionDeclaration": function,
                    "arguments": [{"value": _sendable(each)} for each in arguments],
                    "awaitPromise": True,
                    "returnByValue": True,
                },
            )
        except Away:
            if self._page == page:
                self._page = None
            raise
        return _value(told)

    async def _attached(self) -> tuple[Connection, str]:
        """Raises Away or AgentUnavailable."""
        async with self._attaching:
            connection = self._connection
            if connection is None or connection.lost is not None:
                await self.close()
                connection = self._connection = await self._attach()
            if self._page is None:
                self._pushes = require(await _shaken(connection))
                page = (await connection.command("Runtime.evaluate", {"expression": "globalThis"}))["result"]
                self._page = str(page["objectId"])
                self._known = True
            return connection, self._page

    async def _attach(self) -> Connection:
        self._page = None
        wrong: AgentUnavailable | None = None
        for target in await asyncio.to_thread(targets, self._endpoint):
            connection = await Connection.open(target.socket, self._hear)
            try:
                require(await _shaken(connection))
                for command, parameters in _WATCHING:
                    await connection.command(command, parameters)
            except AgentUnavailable as error:
                wrong = wrong or error
                await connection.close()
            except BaseException:
                await connection.close()
                raise
            else:
                return connection
        assert wrong is not None
        raise wrong

    def _hear(self, name: str, parameters: Mapping[str, Any]) -> None:
        if name == "Runtime.bindingCalled":
            if parameters.get("name") == BINDING:
                self._wake(str(parameters.get("payload")))
        elif name in ("Runtime.executionContextsCleared", "lost"):
            self._page = None
            self._wake("")

    def _wake(self, id: str) -> None:
        """Soon: news come in bursts, and one look is enough for all of a burst."""
        self._heard_of.add(id)
        if self._burst is None:
            self._burst = asyncio.get_running_loop().call_later(_BURST_S, self._wake_all)

    def _wake_all(self) -> None:
        self._burst = None
        heard_of, self._heard_of = self._heard_of, set()
        for id, waiting in self._news.items():
            if id in heard_of or "" in heard_of:
                for news in waiting:
                    news.set()


_WATCHING: tuple[tuple[str, Mapping[str, Any]], ...] = (
    # Of a page that crashes nothing else would tell: what is asked of it is simply never answered.
    ("Inspector.enable", {}),
    ("Page.enable", {}),
    ("Runtime.enable", {}),
    ("Runtime.addBinding", {"name": BINDING}),
    # For whenever the page is loaded anew, and for now.
    ("Page.addScriptToEvaluateOnNewDocument", {"source": WATCH}),
    ("Runtime.evaluate", {"expression": WATCH}),
)


def look_over(endpoint: Endpoint) -> None:
    """Whether sessions can be had there at all. Blocks for some seconds at most.

    Raises AgentUnavailable with what is in the way.
    """
    wrong: AgentUnavailable | None = None
    for target in targets(endpoint):
        try:
            require(_shaken_at_once(target))
        except AgentUnavailable as error:
            wrong = wrong or error
        except (OSError, WebSocketException, msgspec.DecodeError, Refused) as error:
            wrong = wrong or AgentUnavailable(
                f"the page of Claude Desktop doesn't answer ({str(error) or 'it may have crashed'}): reload "
                "it, or restart the application"
            )
        else:
            return
    assert wrong is not None
    raise wrong


def _shaken_at_once(target: Target) -> Mapping[str, Any]:
    """Raises OSError, which a timeout is as well, WebSocketException, DecodeError and Refused."""
    with connect(target.socket, open_timeout=_LOOK_OVER_S, close_timeout=1, proxy=None) as socket:
        socket.send(
            msgspec.json.encode({"id": 1, "method": "Runtime.evaluate", "params": _SHAKING}), text=True
        )
        told = msgspec.json.decode(socket.recv(timeout=_LOOK_OVER_S), type=dict[str, Any])
    match told:
        case {"result": dict(result)}:
            value = _value(result)
            return value if isinstance(value, dict) else {}
        case {"error": {"message": str(why)}}:
            raise Refused(why)
    return {}


async def _shaken(connection: Connection) -> Mapping[str, Any]:
    told = _value(await connection.command("Runtime.evaluate", _SHAKING, timeout_s=_SHAKING_S))
    return told if isinstance(told, dict) else {}


def _value(told: Mapping[str, Any]) -> Any:
    """Raises Refused."""
    match told:
        case {"exceptionDetails": dict(details)}:
            thrown = details.get("exception")
            said = thrown.get("description") or thrown.get("value") if isinstance(thrown, dict) else None
            raise Refused(str(said or details.get("text") or "an error").split("\n")[0])
        case {"result": {"value": value}}:
            return value
    return None


def _sendable(value: Any) -> Any:
    """Half characters, which no JSON can hold, are replaced."""
    match value:
        case str():
            return value.encode(errors="replace").decode()
        case Mapping():
            return {str(_sendable(key)): _sendable(each) for key, each in value.items()}
        case list() | tuple():
            return [_sendable(each) for each in value]
    return value
