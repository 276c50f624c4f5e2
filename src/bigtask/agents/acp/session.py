"""A session with an agent of the Agent Client Protocol: its turns, and what is asked and said meanwhile."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Any

import msgspec
from acp import PROTOCOL_VERSION, RequestError, text_block
from acp.client.connection import ClientSideConnection
from acp.schema import (
    ClientCapabilities,
    EnvVariable,
    FileSystemCapabilities,
    Implementation,
    McpServerStdio,
)

from bigtask.agents.acp import reporting
from bigtask.agents.acp.bill import Bill
from bigtask.agents.acp.client import Client
from bigtask.agents.acp.heard import Heard
from bigtask.agents.acp.transport import ProcessTransport
from bigtask.agents.arguments import environment, filled, values
from bigtask.agents.limits_told import limit_in
from bigtask.agents.protocol import (
    Opening,
    Prompt,
    Reported,
    SessionEvent,
    SessionLost,
    TurnEnded,
    UsageReported,
)
from bigtask.configuration.agent_definitions import AcpDefinition
from bigtask.core.liveness import Activity
from bigtask.core.unanswered import NONE_OF_THESE
from bigtask.errors import AgentUnavailable, Conflict
from bigtask.process import Process, running
from bigtask.protocol.fields import ANSWERS
from bigtask.protocol.reading import read_value

_BEGINNING_S = 120.0
"""The slowest that was measured took 12 s, at its very first start."""
_INTERRUPTION_S = 20.0
_LONGEST_LINE = 64 * 2**20
_DECIDE = "None of these. Decide it yourself, and say in your report what you assumed."
_BY_TOOL = (
    "Where you have the tool report_answer of the server bigtask, call it with the fields of your answer "
    "instead of writing the block; report_progress and ask_person are there as well."
)


@asynccontextmanager
async def opened(
    opening: Opening, definition: AcpDefinition, environ: Mapping[str, str], *, title: str
) -> AsyncIterator[AcpSession]:
    """Leaving the block ends the running turn, the agent's program, and what that started.

    Raises `SessionLost` or `AgentUnavailable` when the agent can't begin.
    """
    async with AsyncExitStack() as stack:
        heard = Heard()
        bill = Bill(definition, opening.used or UsageReported())
        client = Client(opening, heard, bill)
        session = AcpSession(opening, definition, client, heard, bill, title=title)
        socket = None
        if definition.reports:
            socket = str(await stack.enter_async_context(reporting.offered(session.called)))
        filling = values(opening)
        argv = filled(definition.argv, filling)
        if not opening.project_settings:
            argv.extend(definition.untrusted)
        process = await stack.enter_async_context(
            running(
                argv,
                cwd=opening.cwd,
                env=environment(definition, opening, environ, filling),
                line_limit=_LONGEST_LINE,
            )
        )
        transport = ProcessTransport(process, heard, title=title)
        connection = ClientSideConnection(client, transport)  # type: ignore[arg-type]  # a part of its Client
        try:
            await session.begin(process, transport, connection, socket)
            yield session
        finally:
            await session.stop()
            await connection.close()


class _Over(msgspec.Struct, frozen=True, kw_only=True):
    """A prompt was answered, or `error` says why not."""

    reason: str = ""
    tokens: Any = None
    error: Exception | None = None


class AcpSession:
    """One prompt at a time, since agents differ in what they do with several. What is sent in the middle of a
    turn is a further prompt of the same turn."""

    def __init__(
        self,
        opening: Opening,
        definition: AcpDefinition,
        client: Client,
        heard: Heard,
        bill: Bill,
        *,
        title: str,
    ) -> None:
        self._opening = opening
        self._definition = definition
        self._client = client
        self._heard = heard
        self._bill = bill
        self._title = title
        self._id = opening.resume or ""
        self._block: str | None = None
        self._tools = False
        self._in_turn = False
        self._asking: asyncio.Task[None] | None = None
        self._interrupted = False
        self._until: float | None = None
        self._bound = asyncio.timeout(None)
        self._unsaid: list[str] = []
        self._lost: SessionLost | None = None

    @property
    def id(self) -> str:
        return self._id

    async def begin(
        self,
        process: Process,
        transport: ProcessTransport,
        connection: ClientSideConnection,
        socket: str | None,
    ) -> None:
        self._process, self._transport, self._connection = process, transport, connection
        try:
            async with asyncio.timeout(_BEGINNING_S):
                await self._begin(socket)
        except TimeoutError:
            raise SessionLost(
                f"{self._title} said nothing for {_BEGINNING_S:g} s when it was started"
            ) from None
        except ConnectionError:
            raise await transport.lost("when it was started") from None
        except RequestError as error:
            raise AgentUnavailable(f"{self._title} can't begin a session: {_words(error)}") from error

    async def _begin(self, socket: str | None) -> None:
        told = await self._connection.initialize(
            protocol_version=PROTOCOL_VERSION,
            client_info=Implementation(name="bigtask", version="1"),
            # Agents then read and write files themselves, in the workspace.
            client_capabilities=ClientCapabilities(
                fs=FileSystemCapabilities(read_text_file=False, write_text_file=False), terminal=False
            ),
        )
        least, there = self._definition.least_version, told.agent_info.version if told.agent_info else ""
        if least and there and _version(there) < _version(least):
            raise AgentUnavailable(
                f"{self._title} {there} is too old: {least} or newer is needed: {self._definition.install}"
            )
        servers: list[Any] = [_server(socket)] if socket is not None else []
        self._tools = socket is not None
        cwd, loads = (
            str(self._opening.cwd),
            bool(told.agent_capabilities and told.agent_capabilities.load_session),
        )
        if self._opening.resume is not None:
            if not loads:
                # The agent can still begin a new session: the next attempt does that.
                raise Conflict(f"{self._title} can't continue a session: the work is begun anew")
            opened = await self._connection.load_session(
                cwd=cwd, session_id=self._opening.resume, mcp_servers=servers
            )
            modes = opened.modes if opened is not None else None
        else:
            begun = await self._connection.new_session(cwd=cwd, mcp_servers=servers)
            self._id, modes = begun.session_id, begun.modes
        await self._choose_mode(modes)

    async def _choose_mode(self, modes: Any) -> None:
        """What the person's mode is called here. Where rules have to be kept the agent has to ask: only then
        is there somebody to hold it to them."""
        opening = self._opening
        ruled = bool(opening.rules.ask or opening.rules.deny)
        wanted = "readOnly" if opening.read_only else "ask" if ruled else opening.permission_mode
        named: Mapping[str, str] = {str(mode): name for mode, name in self._definition.modes.items()}
        mode = named.get(wanted)
        if mode is None or (modes is not None and modes.current_mode_id == mode):
            return
        try:
            await self._connection.set_session_mode(session_id=self._id, mode_id=mode)
        except RequestError as error:
            raise AgentUnavailable(
                f"{self._title} can't work in its mode {mode}, which permission mode {wanted} needs: "
                f"{_words(error)}"
            ) from error

    def turn(self, prompt: Prompt) -> AsyncGenerator[SessionEvent, None]:
        """Raises `Conflict` when the turn before wasn't read to its end.

        The turn begins with the call: an interruption that comes before its first event still counts.
        """
        if self._in_turn:
            raise Conflict("the turn before this one hasn't ended: read it to its end first")
        self._in_turn = True
        self._interrupted = False
        self._until = None
        return self._turn(prompt)

    async def answer(self, request_id: str, answer: str) -> None:
        self._client.answer(request_id, answer)

    async def send(self, text: str) -> None:
        self._unsaid.append(text)

    async def interrupt(self) -> None:
        self._interrupted = True
        if self._asking is None:
            return
        self._until = asyncio.get_running_loop().time() + _INTERRUPTION_S
        with suppress(RuntimeError):  # no wait is under way: the next one is bound by `_until`
            self._bound.reschedule(self._until)
        self._client.withdraw()
        with suppress(ConnectionError):
            await self._connection.cancel(session_id=self._id)

    async def stop(self) -> None:
        """Of a turn that wasn't read to its end."""
        asking = self._asking
        if asking is not None:
            self._client.withdraw()
            asking.cancel()
            await asyncio.wait([asking])

    def activity(self) -> Activity | None:
        return self._process.activity()

    async def called(self, tool: str, given: Mapping[str, Any]) -> reporting.Said:
        """A tool of ours, by the agent."""
        if self._block is None:
            return "Nothing is asked of you now.", True
        match tool:
            case "report_progress":
                return self._reported("progress", given)
            case "report_answer":
                return self._reported(self._block, given.get("answer", given))
            case "ask_person":
                return await self._ask_person(given)
        return f"There is no tool {tool[:60]}.", True

    def _reported(self, phase: str, data: Any) -> reporting.Said:
        self._heard.put(Reported(phase=phase, data=data))
        errors = read_value(phase, data).errors
        return ("This can't be used as it is: " + "; ".join(errors), True) if errors else ("Noted.", False)

    async def _ask_person(self, given: Mapping[str, Any]) -> reporting.Said:
        question, options = given.get("question"), given.get("options")
        if (
            not isinstance(question, str)
            or not isinstance(options, list)
            or not all(isinstance(option, str) for option in options)
        ):
            return "Give a question, and options as a list of texts.", True
        said = await self._client.ask(question, (*options, NONE_OF_THESE))
        return (_DECIDE if said in (None, NONE_OF_THESE) else str(said)), False

    async def _turn(self, prompt: Prompt) -> AsyncGenerator[SessionEvent, None]:
        try:
            if self._lost is not None:
                raise self._lost
            if self._interrupted:
                self._in_turn = False
                yield TurnEnded(reason="interrupted")
                return
            self._block = ANSWERS[prompt.phase]
            self._client.begin()
            said, self._unsaid = self._unsaid, []
            self._say("\n\n".join((*said, prompt.text, *([_BY_TOOL] if self._tools else []))), prompt)
            while True:
                item = await self._next()
                if not isinstance(item, _Over):
                    yield item
                    continue
                self._asking = None
                if item.tokens is not None:
                    yield self._bill.turn(item.tokens)
                events = await self._ending(item)
                if self._unsaid and events == (TurnEnded(),):
                    further, self._unsaid = "\n\n".join(self._unsaid), []
                    self._say(further, prompt)
                    continue
                self._in_turn = False
                self._block = None
                for event in events:
                    yield event
                return
        except SessionLost as lost:
            self._lost = lost
            self._in_turn = False
            raise

    def _say(self, text: str, prompt: Prompt) -> None:
        self._asking = asyncio.create_task(self._ask(text, prompt))

    async def _ask(self, text: str, prompt: Prompt) -> None:
        # For programs without a model, which read no prose. Others pass over what isn't theirs.
        meta = {"bigtask": msgspec.to_builtins(prompt)}
        try:
            said = await self._connection.prompt(
                session_id=self._id, prompt=[text_block(text.encode(errors="replace").decode())], **meta
            )
        except (RequestError, ConnectionError) as error:
            self._heard.put(_Over(error=error))
        else:
            self._heard.put(_Over(reason=said.stop_reason, tokens=said.usage))

    async def _next(self) -> Any:
        self._bound = asyncio.timeout_at(self._until)
        try:
            async with self._bound:
                return await self._heard.next()
        except TimeoutError:
            raise SessionLost(f"{self._title} doesn't react to an interruption") from None

    async def _ending(self, over: _Over) -> tuple[SessionEvent, ...]:
        """Raises `SessionLost` where the agent is gone."""
        if isinstance(over.error, ConnectionError):
            raise await self._transport.lost("in the middle of a turn")
        if self._interrupted or over.reason == "cancelled":
            return (TurnEnded(reason="interrupted"),)
        if isinstance(over.error, RequestError):
            words = _words(over.error)
            limited = limit_in(words)
            if limited is not None:
                return (limited, TurnEnded(reason="limited", detail=words))
            return (TurnEnded(reason="error", detail=words),)
        match over.reason:
            case "max_tokens":
                return (TurnEnded(reason="max_tokens"),)
            case "max_turn_requests" | "refusal":
                why = "refused" if over.reason == "refusal" else "made as many calls as it may in a turn"
                return (TurnEnded(reason="error", detail=f"{self._title} {why}"),)
        return (TurnEnded(),)


def _server(socket: str) -> McpServerStdio:
    program, args = reporting.command()
    return McpServerStdio(
        name=reporting.NAME,
        command=program,
        args=list(args),
        env=[EnvVariable(name=reporting.VARIABLE, value=socket)],
    )


def _words(error: RequestError) -> str:
    said = str(error)
    if not error.data:
        return said
    known = error.data.get("details", error.data.get("message")) if isinstance(error.data, dict) else None
    more = known if isinstance(known, str) else msgspec.json.encode(error.data).decode()
    return said if more in said else f"{said}: {more[:2_000]}"


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", text)[:3])
