"""What stands behind the page: sessions as Claude Desktop keeps them, each played by an agent of ours."""

from __future__ import annotations

import asyncio
import json
import re
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any

from msgspec.structs import replace
from websockets.asyncio.server import Server, ServerConnection, broadcast, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from bigtask.agents.protocol import (
    Agent,
    Limited,
    Opening,
    PermissionAsked,
    Prompt,
    Session,
    SessionEvent,
    Text,
    ToolCall,
    ToolKind,
    TurnEnded,
    UsageReported,
)

METHODS = (
    "getAll",
    "getSession",
    "start",
    "sendMessage",
    "getTranscript",
    "respondToToolPermission",
    "interrupt",
    "archive",
)
_PAGE = (Path(__file__).parent / "page.html").read_bytes()
_TOOLS = {
    ToolKind.READ: "Read",
    ToolKind.WRITE: "Write",
    ToolKind.EDIT: "Edit",
    ToolKind.BASH: "Bash",
    ToolKind.SEARCH: "Grep",
    ToolKind.WEB: "WebFetch",
    ToolKind.TASK: "Task",
    ToolKind.OTHER: "Other",
}


@dataclass
class Kept:
    """One session of the application."""

    id: str
    title: str
    cwd: str
    rows: list[dict[str, Any]] = field(default_factory=list)
    pending: dict[str, dict[str, Any]] = field(default_factory=dict)
    running: bool = False
    archived: bool = False
    messages: asyncio.Queue[str] = field(default_factory=asyncio.Queue)
    talk: Session | None = None
    options: dict[str, Any] = field(default_factory=dict)


class Behind:
    """`understands` has for each session's name its last prompt and what it was opened with: nobody here can
    read, so that is how a prompt's text is understood."""

    def __init__(self, agent: Agent) -> None:
        self.agent = agent
        self.methods: tuple[str, ...] = METHODS
        self.pushes = True
        self.signed_in = True
        self.own_ids = False
        self.results = True
        self.swallows: set[str] = set()
        """Functions that are carried out once more and whose answer never comes."""
        self.held: dict[str, asyncio.Event] = {}
        """By a pattern of titles: until when such sessions do nothing of what they are told."""
        self.sessions: dict[str, Kept] = {}
        self.understands: dict[str, tuple[Opening, Prompt]] = {}
        self.garbled: list[str] = []
        self.calls: list[str] = []
        self.looks = 0
        self.lists = 0
        """How often it was asked for sessions, one or all of them."""
        self.ended_at: dict[str, float] = {}
        self.opened = 0
        """How many pages were loaded so far."""
        self._pages: set[ServerConnection] = set()
        self._at_work: dict[str, asyncio.Task[None]] = {}
        self._server: Server | None = None

    @property
    def open(self) -> bool:
        """Whether a page is there."""
        return bool(self._pages)

    @property
    def port(self) -> int:
        assert self._server is not None
        return int(next(iter(self._server.sockets)).getsockname()[1])

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[Behind]:
        async with serve(
            self._talk, "127.0.0.1", 0, process_request=self._page, max_size=None
        ) as self._server:
            try:
                yield self
            finally:
                await self.break_off()

    async def break_off(self) -> None:
        """As a restart of the application does: what goes on ends, what is written stays."""
        tasks = list(self._at_work.values())
        self._at_work.clear()
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        for kept in self.sessions.values():
            kept.running, kept.talk = False, None
            kept.pending.clear()
            kept.messages = asyncio.Queue()

    def _page(self, connection: ServerConnection, request: Request) -> Response | None:
        path = request.path.partition("?")[0]
        if path == "/behind":
            return None
        if not self.signed_in and path != "/login":
            return Response(
                HTTPStatus.FOUND, "Found", Headers({"Location": "/login", "Content-Length": "0"}), b""
            )
        body = _PAGE if self.signed_in else b"<title>Sign in</title>"
        headers = Headers({"Content-Type": "text/html; charset=utf-8", "Content-Length": str(len(body))})
        return Response(HTTPStatus.OK, "OK", headers, body)

    async def _talk(self, page: ServerConnection) -> None:
        self._pages.add(page)
        self.opened += 1
        try:
            while True:
                message = await page.recv()
                asked = json.loads(message)
                told: dict[str, Any] = {"number": asked["number"]}
                try:
                    told["value"] = await self._answer(asked["name"], asked["args"])
                except KeyError as unknown:
                    told["error"] = f"Session not found: {unknown.args[0]}"
                if asked["name"] in self.swallows:
                    self.swallows.discard(asked["name"])
                    continue
                await page.send(json.dumps(told))
        except ConnectionClosed:
            pass
        finally:
            self._pages.discard(page)

    async def _answer(self, name: str, arguments: list[Any]) -> Any:
        if name == "offered":
            return {"methods": self.methods, "pushes": self.pushes}
        if not name.startswith("get"):
            self.calls.append(name)
        self.looks += name == "getTranscript"
        self.lists += name in ("getAll", "getSession")
        match name, arguments:
            case "getAll", []:
                return [self._shown(kept) for kept in self.sessions.values()]
            case "getSession", [id]:
                return self._shown(self.sessions[id])
            case "getTranscript", [id]:
                return self.sessions[id].rows
            case "start", [dict(info)]:
                id = f"local_{uuid.uuid4()}" if self.own_ids else info["sessionId"]
                kept = self.sessions[id] = Kept(id=id, title=info["title"], cwd=info["cwd"], options=info)
                self._begin(kept, info["message"])
                return {"sessionId": id}
            case "sendMessage", [id, text]:
                kept = self.sessions[id]
                if kept.running and kept.talk is not None:
                    await kept.talk.send(text)
                else:
                    self._begin(kept, text)
            case "respondToToolPermission", [request_id, decision, *given]:
                await self._respond(request_id, decision, given[0] if given else None)
            case "interrupt", [id]:
                if (talk := self.sessions[id].talk) is not None:
                    await talk.interrupt()
            case "archive", [id]:
                self.sessions[id].archived = True
        return None

    def _shown(self, kept: Kept) -> dict[str, Any]:
        return {
            "sessionId": kept.id,
            "title": kept.title,
            "cwd": kept.cwd,
            "model": "made-up-model",
            "isRunning": kept.running,
            "isArchived": kept.archived,
            "pendingToolPermissions": list(kept.pending.values()),
        }

    async def _respond(self, request_id: str, decision: str, given: Mapping[str, Any] | None) -> None:
        for kept in self.sessions.values():
            if kept.pending.pop(request_id, None) is not None and kept.talk is not None:
                chosen = next(iter(given["answers"].values())) if given is not None else None
                await kept.talk.answer(request_id, chosen or ("allow" if decision == "once" else "deny"))
                return
        raise KeyError(request_id)

    def _begin(self, kept: Kept, text: str) -> None:
        kept.running = True
        self._row(kept, "user", message={"role": "user", "content": text})
        kept.messages.put_nowait(text)
        if kept.id not in self._at_work:
            self._at_work[kept.id] = asyncio.create_task(self._live(kept))

    async def _live(self, kept: Kept) -> None:
        opening, _ = self.understands[kept.title]
        opening = replace(opening, name=kept.title, resume=kept.title)
        async with AsyncExitStack() as stack:
            kept.talk = await stack.enter_async_context(self.agent.session(opening))
            while True:
                text = await kept.messages.get()
                for pattern, free in self.held.items():
                    if re.search(pattern, kept.title):
                        await free.wait()
                _, prompt = self.understands[kept.title]
                if not text.endswith(prompt.text) and "was broken off in its middle" not in text:
                    self.garbled.append(text)
                async for event in kept.talk.turn(prompt):
                    self._hear(kept, event)
                kept.running = False
                kept.pending.clear()
                self.ended_at[kept.id] = asyncio.get_running_loop().time()
                self._push("event", {"type": "session_updated", "sessionId": kept.id})

    def _hear(self, kept: Kept, event: SessionEvent) -> None:
        turn = sum(row["type"] == "user" for row in kept.rows)
        match event:
            case Text(text=text, message=number):
                self._assistant(kept, f"msg-{turn}-{number}", {"type": "text", "text": text})
            case ToolCall():
                given = {"file_path": event.path} if event.path else {"description": event.detail}
                tool = {"type": "tool_use", "id": "t", "name": _TOOLS[event.kind], "input": given}
                self._assistant(kept, f"msg-{turn}-t{len(kept.rows)}", tool)
            case PermissionAsked():
                self._ask(kept, event)
            case UsageReported():
                usage = {"input_tokens": event.input_tokens, "output_tokens": event.output_tokens}
                self._assistant(kept, f"msg-{turn}-u{len(kept.rows)}", usage=usage)
            case Limited():
                delay_ms = None if event.reset_s is None else event.reset_s * 1000
                retry = {"attempt": 1, "error_status": 429, "retry_delay_ms": delay_ms}
                self._row(kept, "system", subtype="api_retry", **retry)
            case TurnEnded() if self.results or event.reason != "end":
                failed = event.reason != "end"
                said = {
                    "subtype": "error" if failed else "success",
                    "is_error": failed,
                    "result": event.detail,
                }
                self._row(kept, "result", **said)

    def _ask(self, kept: Kept, event: PermissionAsked) -> None:
        if event.options[0] == "allow":
            command = event.subject or event.question.removeprefix("Run ").removesuffix("?")
            tool, given = event.tool or "Bash", {"command": command}
        else:
            options = [{"label": option} for option in event.options]
            tool, given = "AskUserQuestion", {"questions": [{"question": event.question, "options": options}]}
        asked = {"requestId": event.request_id, "toolName": tool, "input": given, "sessionId": kept.id}
        kept.pending[event.request_id] = asked
        self._push("permission", asked)

    def _assistant(
        self, kept: Kept, id: str, block: dict[str, Any] | None = None, usage: dict[str, int] | None = None
    ) -> None:
        message = {"id": id, "role": "assistant", "content": [block] if block else [], "model": "opus"}
        self._row(kept, "assistant", message={**message, "usage": usage} if usage else message)

    def _row(self, kept: Kept, kind: str, **fields: Any) -> None:
        row = {
            "type": kind,
            "uuid": str(uuid.uuid4()),
            "session_id": kept.id,
            "parent_tool_use_id": None,
            **fields,
        }
        kept.rows.append(row)
        self._push("event", {"type": "message", "sessionId": kept.id, "message": row})

    def _push(self, kind: str, value: Any) -> None:
        if self.pushes:
            broadcast(self._pages, json.dumps({"push": kind, "value": value}))
