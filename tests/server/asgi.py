"""The guard with all routes behind it, called without a socket: thousands of attacks in a second."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from starlette.types import Message, Receive, Scope, Send

from bigtask.host.home import Home
from bigtask.mcp.endpoint import Endpoint
from bigtask.module import OrchestratorModule
from bigtask.server.application import api
from bigtask.server.credentials import Credentials, folder_of
from bigtask.server.doors import doors
from bigtask.server.guard import Guard
from bigtask.server.once import Once
from bigtask.server.parts import Gate, Parts
from bigtask.server.sign_in import Failures, SignIns
from bigtask.server.system_events import SystemEvents
from bigtask.server.traffic import Traffic

PORT = 7717
HOST = f"127.0.0.1:{PORT}"
ORIGIN = f"http://{HOST}"


class Behind:
    """In the application's place: remembers what has got through, and does nothing."""

    def __init__(self) -> None:
        self.reached: list[tuple[str, str]] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.reached.append((scope.get("method", "WEBSOCKET"), scope["path"]))
        if scope["type"] == "websocket":
            await send({"type": "websocket.accept"})
            return
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"{}"})


@dataclass
class Fort:
    """`live` says which attempts are under way."""

    home: Home
    live: Callable[[str, str, int], bool] = lambda run, task, number: False
    behind: Behind = field(default_factory=Behind)
    sign_ins: SignIns = field(default_factory=SignIns)
    failures: Failures = field(default_factory=Failures)

    def __post_init__(self) -> None:
        folder = folder_of(self.home)
        self.credentials = Credentials(folder, who="ada", is_live=self.live)
        module = OrchestratorModule(home=self.home.path, environ={})
        self.parts = Parts(
            module=module,
            once=Once(folder / "keys"),
            system=SystemEvents(module.templates),
            traffic=Traffic(),
        )
        self.gate = Gate(sign_ins=self.sign_ins, failures=self.failures, doors=doors("127.0.0.1", PORT))
        self.app = api(self.parts, self.gate)
        self.app.router.routes.append(Endpoint(module).route)
        self.owner = (folder / "token").read_text().strip()
        self.delegate = (folder / "delegate-token").read_text().strip()

    def guard(self, app: Any = None) -> Guard:
        return Guard(
            app or self.behind,
            routes=lambda: self.app.routes,
            doors=self.gate.doors,
            credentials=self.credentials,
            sign_ins=self.sign_ins,
            failures=self.failures,
        )

    def attack(self, method: str, path: str, **given: Any) -> Outcome:
        return asyncio.run(self._attack(method, path, **given))

    async def _attack(
        self,
        method: str,
        path: str,
        *,
        headers: Sequence[tuple[str, str]] = (),
        token: str | None = None,
        host: str | None = HOST,
        body: bytes = b"",
        app: Any = None,
    ) -> Outcome:
        """`method` WEBSOCKET is a handshake. What isn't said is as it should be."""
        sent = [] if host is None else [("host", host)]
        sent += [("authorization", f"Bearer {token}")] if token is not None else []
        sent += headers
        websocket = method == "WEBSOCKET"
        offered = [value for name, value in sent if name == "sec-websocket-protocol"]
        scope: Scope = {
            "type": "websocket" if websocket else "http",
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "root_path": "",
            "headers": [(name.encode(), value.encode("latin-1")) for name, value in sent],
            "client": ("127.0.0.1", 50_000),
            "server": ("127.0.0.1", PORT),
            "scheme": "http",
            "http_version": "1.1",
            "subprotocols": [part.strip() for value in offered for part in value.split(",")],
            "extensions": {"websocket.http.response": {}},
        }
        if not websocket:
            scope["method"] = method
        before = len(self.behind.reached)
        told: list[Message] = []

        async def receive() -> Message:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Message) -> None:
            told.append(message)

        await self.guard(app)(scope, receive, send)
        start = next((one for one in told if one["type"].endswith("response.start")), None)
        content = b"".join(one.get("body", b"") for one in told if one["type"].endswith("response.body"))
        return Outcome(
            status=start["status"] if start is not None else 101,
            reached=len(self.behind.reached) > before,
            headers={k.decode(): v.decode() for k, v in (start or {}).get("headers", ())},
            body=content,
        )


@dataclass(frozen=True)
class Outcome:
    status: int
    reached: bool
    headers: dict[str, str]
    body: bytes

    @property
    def said(self) -> dict[str, Any]:
        found = json.loads(self.body)
        assert isinstance(found, dict)
        return found


def fort(tmp_path: Path, **more: Any) -> Fort:
    # Of 10,000 attacks most bring a wrong credential: that they are counted has a test of its own.
    still = Failures(clock=iter(float(second) * 60 for second in range(10**9)).__next__)
    return Fort(Home(tmp_path / "home"), **{"failures": still, **more})
