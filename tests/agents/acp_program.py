"""An agent of the Agent Client Protocol, made with the SDK's agent side, that plays a script.

`acp_program.py SCRIPT [--no-load]`
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from typing import Any

import msgspec
from acp import RequestError, run_agent
from acp.schema import (
    AgentCapabilities,
    AgentMessageChunk,
    Cost,
    FileEditToolCallContent,
    Implementation,
    InitializeResponse,
    LoadSessionResponse,
    NewSessionResponse,
    PermissionOption,
    PromptResponse,
    SessionMode,
    SessionModeState,
    TextContentBlock,
    ToolCallLocation,
    ToolCallStart,
    ToolCallUpdate,
    Usage,
    UsageUpdate,
)
from playing import Kept, player, script_from

from bigtask.agents.protocol import (
    Limited,
    PermissionAsked,
    Prompt,
    Reported,
    Text,
    ToolCall,
    ToolKind,
    TurnEnded,
    UsageReported,
)

_KINDS = {
    ToolKind.READ: "read",
    ToolKind.WRITE: "edit",
    ToolKind.EDIT: "edit",
    ToolKind.BASH: "execute",
    ToolKind.SEARCH: "search",
    ToolKind.WEB: "fetch",
    ToolKind.TASK: "think",
    ToolKind.OTHER: "other",
}
_MODES = SessionModeState(
    current_mode_id="careful",
    available_modes=[SessionMode(id=name, name=name) for name in ("careful", "looking")],
)


class Tools:
    """The MCP server that the client offers, as a client of that sees it."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._asked = 0

    @classmethod
    async def start(cls, server: Any) -> Tools:
        env = {**os.environ, **{pair.name: pair.value for pair in server.env}}
        tools = cls(
            await asyncio.create_subprocess_exec(
                server.command,
                *server.args,
                env=env,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
            )
        )
        told = await tools.ask("initialize", protocolVersion="2025-06-18")
        assert told["serverInfo"]["name"] == "bigtask"
        return tools

    async def ask(self, method: str, **params: Any) -> Any:
        self._asked += 1
        message = {"jsonrpc": "2.0", "id": self._asked, "method": method, "params": params}
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(message).encode() + b"\n")
        return json.loads(await self._process.stdout.readline())["result"]

    async def call(self, tool: str, arguments: Any) -> Any:
        return await self.ask("tools/call", name=tool, arguments=arguments)


class Session:
    def __init__(self, name: str, cwd: str, servers: Any, turns: int) -> None:
        self.name = name
        self.cwd = cwd
        self.servers = servers or []
        self.turns = turns
        self.mode = "careful"
        self.playing: Any = None
        self.tools: Tools | None = None


class Acting:
    def __init__(self, script: str, *, loads: bool) -> None:
        self._script = script_from(script)
        self._loads = loads
        self._sessions: dict[str, Session] = {}
        self._calls = 0
        self._conn: Any = None

    def on_connect(self, conn: Any) -> None:
        self._conn = conn

    async def initialize(self, protocol_version: int, **_rest: Any) -> InitializeResponse:
        sys.stderr.write("x" * 300_000)  # more than a pipe holds: whoever doesn't read it hangs
        sys.stderr.flush()
        return InitializeResponse(
            protocol_version=protocol_version,
            agent_capabilities=AgentCapabilities(load_session=self._loads),
            agent_info=Implementation(name="acting", version="1.2.3"),
        )

    async def new_session(self, cwd: str, mcp_servers: Any = None, **_rest: Any) -> NewSessionResponse:
        name = f"acting-{os.urandom(6).hex()}"
        Kept(name).set(0)
        self._sessions[name] = Session(name, cwd, mcp_servers, 0)
        return NewSessionResponse(session_id=name, modes=_MODES)

    async def load_session(
        self, cwd: str, session_id: str, mcp_servers: Any = None, **_rest: Any
    ) -> LoadSessionResponse:
        turns = Kept(session_id).turns
        if turns is None:
            raise RequestError.invalid_params({"details": "there is no such session"})
        self._sessions[session_id] = Session(session_id, cwd, mcp_servers, turns)
        await self._say(session_id, "what was said before", "old")
        return LoadSessionResponse(modes=_MODES)

    async def set_session_mode(self, mode_id: str, session_id: str, **_rest: Any) -> None:
        self._sessions[session_id].mode = mode_id

    async def cancel(self, session_id: str, **_rest: Any) -> None:
        playing = self._sessions[session_id].playing
        if playing is not None:
            await playing.interrupt()

    async def prompt(self, session_id: str, prompt: Any, **meta: Any) -> PromptResponse:
        session = self._sessions[session_id]
        if session.servers and session.tools is None:
            session.tools = await Tools.start(session.servers[0])
        asked = msgspec.convert(meta["bigtask"], Prompt)
        if session.playing is None:
            session.playing = player(
                self._script,
                session_id,
                turns=session.turns,
                cwd=session.cwd,
                read_only=session.mode == "looking",
            )
        playing = session.playing
        Kept(session_id).set(playing.turns_played + 1)
        if playing.turns_played:
            await playing.send(prompt[0].text)
        usage = None
        ended = TurnEnded()
        async for event in playing.turn(asked):
            match event:
                case Text():
                    await self._say(session_id, event.text, str(event.message))
                case ToolCall():
                    await self._call(session_id, event)
                case PermissionAsked():
                    await playing.answer(event.request_id, await self._ask(session_id, event))
                case Reported():
                    assert session.tools is not None
                    tool = "report_progress" if event.phase == "progress" else "report_answer"
                    given = event.data if event.phase == "progress" else {"answer": event.data}
                    await session.tools.call(tool, given)
                case UsageReported():
                    usage = Usage(
                        input_tokens=event.input_tokens,
                        output_tokens=event.output_tokens,
                        total_tokens=event.input_tokens + event.output_tokens,
                    )
                    cost = Cost(amount=event.cost_usd, currency="USD")
                    await self._tell(
                        session_id,
                        UsageUpdate(session_update="usage_update", used=1, size=2, cost=cost),
                    )
                case Limited():
                    raise RequestError(-32000, "429 Too Many Requests", {"retryAfter": event.reset_s})
                case TurnEnded():
                    ended = event
        if ended.reason == "error":
            raise RequestError(-32000, ended.detail)
        reason = {"interrupted": "cancelled", "max_tokens": "max_tokens"}.get(ended.reason, "end_turn")
        return PromptResponse(stop_reason=reason, usage=usage)

    async def _ask(self, session_id: str, asked: PermissionAsked) -> str:
        self._calls += 1
        options = [
            PermissionOption(option_id="3", name="Never", kind="reject_always"),
            PermissionOption(option_id="2", name="Go on", kind="allow_once"),
            PermissionOption(option_id="1", name="Rather not", kind="reject_once"),
        ]
        said = await self._conn.request_permission(
            session_id=session_id,
            tool_call=ToolCallUpdate(tool_call_id=f"c{self._calls}", title=asked.question),
            options=options,
        )
        if said.outcome.outcome == "cancelled":
            return "deny"
        return {"2": "allow", "1": "deny"}[said.outcome.option_id]

    async def _call(self, session_id: str, call: ToolCall) -> None:
        self._calls += 1
        content = None
        if call.kind is ToolKind.WRITE:
            content = [FileEditToolCallContent(type="diff", path=call.path or "new", new_text="x")]
        await self._tell(
            session_id,
            ToolCallStart(
                session_update="tool_call",
                tool_call_id=f"c{self._calls}",
                title=call.name or "something",
                kind=_KINDS[call.kind],
                content=content,
                locations=[ToolCallLocation(path="old")] if call.kind is ToolKind.EDIT else None,
            ),
        )

    async def _say(self, session_id: str, text: str, message: str) -> None:
        block = TextContentBlock(type="text", text=text)
        await self._tell(
            session_id,
            AgentMessageChunk(session_update="agent_message_chunk", content=block, message_id=message),
        )

    async def _tell(self, session_id: str, update: Any) -> None:
        await self._conn.session_update(session_id=session_id, update=update)


if __name__ == "__main__":
    asyncio.run(run_agent(Acting(sys.argv[1], loads="--no-load" not in sys.argv)))
