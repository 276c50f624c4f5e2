"""What every request passes before anything else, over HTTP and WebSocket alike.

    Host ─> Origin ─> credential ─> role ─> body ─> the application

Who is refused has caused nothing. The names and origins are whole strings in a set, never patterns; the path
is the one that the router sees.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from http.cookies import CookieError, SimpleCookie

from starlette.routing import BaseRoute, Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bigtask.dashboard import pages
from bigtask.server.body import Body
from bigtask.server.credentials import Credentials
from bigtask.server.doors import Doors
from bigtask.server.envelope import failure
from bigtask.server.refusal import Refusal
from bigtask.server.role import MARK, Caller, Role
from bigtask.server.sign_in import Failures, SignIns

COOKIE = "bigtask"
KEY_HEADER = "x-bigtask-key"
KEY_PROTOCOL = "key."
"""Before the key among the subprotocols of a WebSocket, to which a page can't give headers."""

PUBLIC = frozenset(
    {
        ("GET", "/sign-in"),
        ("GET", "/sign-in.js"),
        ("POST", "/api/sign-in"),
        *(("GET", path) for path in pages.FILES),
    }
)
"""What has to answer before anybody has signed in. Nothing of a run or a template is in it."""

SOCKET = "/api/ws"

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE"})

HEADERS = (
    (
        b"content-security-policy",
        b"default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cache-control", b"no-store"),
)


class Guard:
    def __init__(
        self,
        app: ASGIApp,
        *,
        routes: Callable[[], Sequence[BaseRoute]],
        doors: Doors,
        credentials: Credentials,
        sign_ins: SignIns,
        failures: Failures,
    ) -> None:
        self._app = app
        self._routes = routes
        self._doors = doors
        self._credentials = credentials
        self._sign_ins = sign_ins
        self._failures = failures

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] in ("http.response.start", "websocket.http.response.start"):
                named = {name for name, _ in HEADERS}
                others = [header for header in message.get("headers", ()) if header[0].lower() not in named]
                message = {**message, "headers": [*others, *HEADERS]}
            await send(message)

        body = Body(receive)
        try:
            scope.setdefault("state", {})["caller"] = self._admit(scope)
            if scope["type"] == "http":
                headers = _Headers(scope)
                types, lengths = headers.all("content-type"), headers.all("content-length")
                receive = await body.read(scope["method"], types=types, lengths=lengths)
        except Refusal as refusal:
            await _refuse(scope, receive, send_with_headers, refusal, body)
            return
        await self._app(scope, receive, send_with_headers)

    def _admit(self, scope: Scope) -> Caller | None:
        """None where anybody may. Raises Refusal."""
        headers = _Headers(scope)
        self._require_host(headers)
        self._require_origin(headers)
        method = scope["method"] if scope["type"] == "http" else "GET"
        if scope["type"] == "http" and (method, scope["path"]) in PUBLIC:
            return None
        caller = self._known(scope, headers)
        if caller is None:
            raise self._unknown(scope)
        if caller.role.value not in self._roles(scope, method):
            raise Refusal(403, f"this isn't for the role {caller.role}: it is the owner's to do")
        return caller

    def _require_host(self, headers: _Headers) -> None:
        given = headers.all("host")
        if len(given) != 1 or given[0].lower() not in self._doors.hosts:
            raise Refusal(403, f"this server isn't known by that name: use {self._doors.url}")

    def _require_origin(self, headers: _Headers) -> None:
        origins = headers.all("origin")
        if origins and (len(origins) != 1 or origins[0].lower() not in self._doors.origins):
            raise Refusal(403, f"pages of another origin can't use this server: open {self._doors.url}")
        site = headers.all("sec-fetch-site")
        if site and any(value not in ("same-origin", "none") for value in site):
            raise Refusal(403, f"other sites can't use this server: open {self._doors.url}")

    def _known(self, scope: Scope, headers: _Headers) -> Caller | None:
        said = headers.all("authorization")
        if said:
            scheme, _, token = said[0].partition(" ")
            if scheme.lower() != "bearer" or len(said) != 1:
                return None
            return self._credentials.caller(token.strip())
        cookie = session_cookie("; ".join(headers.all("cookie")))
        if cookie is None:
            return None
        if scope["type"] == "websocket":
            # Every browser names the origin of a WebSocket: one without isn't a browser's.
            offered = scope["subprotocols"] if headers.all("origin") else ()
            keys = [part.removeprefix(KEY_PROTOCOL) for part in offered if part.startswith(KEY_PROTOCOL)]
        else:
            keys = headers.all(KEY_HEADER)
        if len(keys) != 1 or not self._sign_ins.holds(cookie, keys[0]):
            return None
        return self._credentials.signed_in

    def _unknown(self, scope: Scope) -> Refusal:
        wait_s = self._failures.count(address_of(scope))
        if wait_s:
            return too_many(wait_s)
        return Refusal(
            401,
            "who you are isn't known: send `Authorization: Bearer TOKEN` with the token that "
            "`bigtask serve` names, or sign in with its link",
            headers={"WWW-Authenticate": "Bearer"},
        )

    def _roles(self, scope: Scope, method: str) -> Sequence[str]:
        """Of the route that will answer; what no route answers is for whoever is known, to be told so. Raises
        Refusal where only another method is answered."""
        if scope["type"] == "websocket":
            return (Role.OWNER.value, Role.DELEGATE.value)
        others: set[str] = set()
        literal: set[str] = set()
        for route in self._routes():
            match, _ = route.matches(scope)
            if match is Match.FULL and method in _METHODS:
                extra = getattr(route, "openapi_extra", None) or {}
                return list(extra.get(MARK, (Role.OWNER.value,)))
            if match is not Match.NONE:
                methods_of = getattr(route, "methods", None) or set()
                others |= methods_of
                # `create` isn't a run, although a run's address would fit.
                literal |= methods_of if getattr(route, "path", "") == scope["path"] else set()
        others = literal or others
        if others or method not in _METHODS:
            methods = ", ".join(sorted(others or _METHODS))
            raise Refusal(405, f"that can't be done here: use {methods}", headers={"Allow": methods})
        return (Role.OWNER.value, Role.DELEGATE.value)


def address_of(scope: Scope) -> str:
    client = scope.get("client")
    return str(client[0]) if client else ""


def too_many(wait_s: float) -> Refusal:
    seconds = int(wait_s) + 1
    return Refusal(
        429,
        f"too many wrong credentials came from your address: wait {seconds} seconds",
        {"retryAfterSeconds": seconds},
        {"Retry-After": str(seconds)},
    )


class _Headers:
    def __init__(self, scope: Scope) -> None:
        self._pairs = [(name.lower(), value) for name, value in scope["headers"]]

    def all(self, name: str) -> list[str]:
        wanted = name.encode()
        return [value.decode("latin-1").strip() for key, value in self._pairs if key == wanted]


def session_cookie(header: str) -> str | None:
    """What a Cookie header says of the session."""
    try:
        found: SimpleCookie = SimpleCookie(header)
    except CookieError:
        return None
    return found[COOKIE].value if COOKIE in found else None


async def _refuse(scope: Scope, receive: Receive, send: Send, refusal: Refusal, body: Body) -> None:
    response = failure(refusal)
    if scope["type"] == "http":
        waits = _Headers(scope).all("expect")
        if waits or not await body.discard():
            # What was announced and never read would be taken for the next request.
            response.headers["connection"] = "close"
    elif "websocket.http.response" not in scope.get("extensions", {}):
        await send({"type": "websocket.close", "code": 1008})
        return
    await response(scope, receive, send)
