"""The endpoints as part of somebody's own FastAPI application, which says who asks."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from urllib.parse import urlsplit

from fastapi import APIRouter, Depends
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response
from starlette.websockets import WebSocket

from bigtask.module import OrchestratorModule
from bigtask.server import rest, results, runs, system, templates, workers
from bigtask.server.channel import Conversation
from bigtask.server.credentials import folder_of, make_private
from bigtask.server.envelope import failure
from bigtask.server.guard import SOCKET
from bigtask.server.once import Once
from bigtask.server.parts import PARTS, Parts
from bigtask.server.refusal import Refusal
from bigtask.server.role import MARK, Caller, Role
from bigtask.server.system_events import SystemEvents
from bigtask.server.traffic import Traffic

WhoAsks = Callable[[HTTPConnection], Awaitable[Caller | None]]
"""Who sends a request or opens a WebSocket; None refuses it. There is no default: whoever can reach these
routes as the owner runs programs on this machine."""


def router(module: OrchestratorModule, *, who_asks: WhoAsks) -> APIRouter:
    """Every endpoint of docs/api.md but those for signing in, for `app.include_router`. The module is opened
    and closed by the application, for example in its lifespan.

    What pages of another origin send is refused, whatever `who_asks` says of it. An Idempotency-Key holds
    within this process. Raises InvalidInput where the home can't be the person's alone.
    """
    folder = folder_of(module.home)
    make_private(folder)
    parts = Parts(
        module=module,
        once=Once(folder / "embedded-keys"),
        system=SystemEvents(module.templates),
        traffic=Traffic(),
    )

    async def admit(request: Request) -> None:
        extra = getattr(request.scope["route"], "openapi_extra", None) or {}
        await _admit(request, parts, who_asks, extra.get(MARK, (Role.OWNER.value,)))

    async def talk(socket: WebSocket) -> None:
        try:
            await _admit(socket, parts, who_asks, (Role.OWNER.value, Role.DELEGATE.value))
        except Refusal as refusal:
            await _refuse(socket, failure(refusal))
            return
        await Conversation(socket, parts).hold()

    made = APIRouter()
    for part in (templates, runs, results, workers, rest, system):
        made.include_router(part.router, dependencies=[Depends(admit)])
    made.add_api_websocket_route(SOCKET, talk)
    return made


async def _admit(connection: HTTPConnection, parts: Parts, who_asks: WhoAsks, roles: Sequence[str]) -> None:
    """Raises Refusal."""
    _require_same_origin(connection)
    caller = await who_asks(connection)
    if caller is None:
        raise Refusal(401, "who you are isn't known to this application: sign in there")
    if caller.role.value not in roles:
        raise Refusal(403, f"this isn't for the role {caller.role}: it is the owner's to do")
    connection.scope.setdefault("state", {}).update({"caller": caller, PARTS: parts})


def _require_same_origin(connection: HTTPConnection) -> None:
    """A session cookie goes along with what other pages send, too."""
    headers = connection.headers
    origins = headers.getlist("origin")
    host = headers.get("host", "").lower()
    foreign = any(urlsplit(origin).netloc.lower() != host for origin in origins)
    if foreign or headers.get("sec-fetch-site", "none") not in ("same-origin", "none"):
        raise Refusal(403, "pages of another origin can't use this: open the application itself")


async def _refuse(socket: WebSocket, response: Response) -> None:
    if "websocket.http.response" in socket.scope.get("extensions", {}):
        await socket.send_denial_response(response)
    else:
        await socket.close(1008)
