"""The application: every endpoint behind the guard."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp
from starlette.websockets import WebSocket

from bigtask.dashboard import pages
from bigtask.server import entrance, rest, results, runs, system, templates, workers
from bigtask.server.channel import Conversation
from bigtask.server.credentials import Credentials
from bigtask.server.envelope import failure
from bigtask.server.guard import KEY_HEADER, SOCKET, Guard
from bigtask.server.parts import Gate, Parts, parts_of
from bigtask.server.refusal import Refusal, refusal_of
from bigtask.server.role import DELEGATE
from bigtask.server.schemas import components
from bigtask.server.traffic import Counting
from bigtask.sink import log

OPENAPI = "/api/openapi.json"

_WORDS = """Runs and templates of bigtask. Every answer is `{"success": true, …, "timestamp"}`, every error
`{"success": false, "error", "message", "details", "timestamp"}`; `message` says what to do. Routes that list
`delegate` among their `x-roles` are open to the token for agents, all others only to the owner."""


def api(parts: Parts, gate: Gate) -> FastAPI:
    """The endpoints alone, without the guard."""
    app = FastAPI(
        title="bigtask",
        version=version("bigtask"),
        description=_WORDS,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
    )
    app.state.parts, app.state.gate = parts, gate
    for part in (templates, runs, results, workers, rest, system, entrance, pages):
        app.router.routes.extend(part.router.routes)

    def openapi() -> Response:
        return JSONResponse(document(app))

    app.add_api_route(OPENAPI, openapi, methods=["GET"], openapi_extra=DELEGATE, include_in_schema=False)
    app.add_api_websocket_route(SOCKET, _talk)
    app.add_exception_handler(HTTPException, _told)
    app.add_exception_handler(Exception, _failed)
    return app


def guarded(app: FastAPI, credentials: Credentials) -> ASGIApp:
    """What a server serves."""
    gate: Gate = app.state.gate
    guard = Guard(
        app,
        routes=lambda: app.routes,
        doors=gate.doors,
        credentials=credentials,
        sign_ins=gate.sign_ins,
        failures=gate.failures,
    )
    return Counting(guard, app.state.parts.traffic)


def document(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document, made once."""
    if app.openapi_schema is None:
        made = get_openapi(
            title=app.title, version=app.version, description=app.description, routes=app.routes
        )
        schemas = made.setdefault("components", {}).setdefault("schemas", {})
        schemas.update(components())
        for name in ("HTTPValidationError", "ValidationError"):
            schemas.pop(name, None)
        made["components"]["securitySchemes"] = {
            "token": {"type": "http", "scheme": "bearer"},
            "session": {"type": "apiKey", "in": "header", "name": KEY_HEADER},
        }
        made["security"] = [{"token": []}]
        for operations in made["paths"].values():
            for operation in operations.values():
                # Our own errors take their place.
                if "422" in operation.get("responses", {}):
                    del operation["responses"]["422"]
        made["paths"]["/api/sign-in"]["post"]["security"] = []
        app.openapi_schema = made
    return app.openapi_schema


async def _talk(socket: WebSocket) -> None:
    await Conversation(socket, parts_of(socket)).hold()


async def _told(request: Request, error: Exception) -> Response:
    """What no route answers, such as that there is none."""
    assert isinstance(error, HTTPException)
    return failure(refusal_of(error))


async def _failed(request: Request, error: Exception) -> Response:
    """A bug: it is logged whole, and the caller learns nothing of it but that it happened."""
    log("Server").error("%s %s", request.method, request.url.path, exc_info=error)
    return failure(Refusal(500, "something went wrong in the server: what `bigtask serve` printed says what"))
