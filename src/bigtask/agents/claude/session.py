"""A session with Claude Code: its turns, and what is asked, said and interrupted meanwhile."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, aclosing, asynccontextmanager, suppress
from typing import Any, Literal

from claude_agent_sdk import (
    ClaudeAgentOptions,
    HookContext,
    HookInput,
    HookJSONOutput,
    HookMatcher,
    Message,
    PermissionResultAllow,
    PermissionResultDeny,
    ResultMessage,
    ToolPermissionContext,
)
from claude_agent_sdk.types import HookEvent

from bigtask.agents.claude.account import pinned
from bigtask.agents.claude.answering import SERVER, Answering, answering_to
from bigtask.agents.claude.bill import Bill
from bigtask.agents.claude.command_line import command_line, read_only
from bigtask.agents.claude.conversation import waits
from bigtask.agents.claude.environment import environment
from bigtask.agents.claude.installation import Installation
from bigtask.agents.claude.kept_count import conversations, kept_count
from bigtask.agents.claude.messages import Hearing, ending, given_up
from bigtask.agents.claude.questions import (
    ALLOW,
    DENY,
    Questions,
    permission_question,
    permission_subject,
)
from bigtask.agents.claude.talk import Heard, Talk, talking
from bigtask.agents.claude.tools import tool_server
from bigtask.agents.claude.turn_state import TurnState
from bigtask.agents.protocol import (
    Limited,
    Opening,
    PermissionAsked,
    Prompt,
    SessionEvent,
    SessionLost,
    TurnEnded,
    UsageReported,
)
from bigtask.core.liveness import Activity
from bigtask.core.permissions import decided
from bigtask.errors import Conflict

_INTERRUPTION_S = 20.0
_CLOSING_S = 1.0
_UNKNOWN_CONVERSATION = "No conversation found"


@asynccontextmanager
async def opened(
    opening: Opening, installation: Installation, handed_on: Mapping[str, str]
) -> AsyncIterator[ClaudeSession]:
    """Leaving the block ends the running turn, Claude Code, and what it started."""
    async with AsyncExitStack() as stack:
        session = ClaudeSession(opening, installation, handed_on, stack)
        try:
            yield session
        finally:
            await session.stop()


class ClaudeSession:
    """Claude Code is started by the first turn, because the form of the answer is part of how it is started:
    all turns of a session are of one phase.

    A conversation that can't be resumed, because it never got to its first request, is begun anew under the
    same id.
    """

    def __init__(
        self,
        opening: Opening,
        installation: Installation,
        handed_on: Mapping[str, str],
        stack: AsyncExitStack,
    ) -> None:
        self._opening = opening
        self._installation = installation
        self._pinned = pinned(handed_on)
        self._env = environment(opening, handed_on, sdk=installation.sdk)
        self._stack = stack
        self._id = opening.resume or str(uuid.uuid4())
        self._heard = Heard()
        self._questions = Questions(self._id, self._heard.put)
        self._state = TurnState()
        self._talk: Talk | None = None
        self._answering: Answering | None = None
        self._hearing: Hearing | None = None
        self._in_turn = False
        self._asked = False
        self._interrupted = False
        self._unsaid: list[str] = []
        self._bound = asyncio.timeout(None)
        self._until: float | None = None
        self._lost: SessionLost | None = None

    @property
    def id(self) -> str:
        return self._id

    def turn(self, prompt: Prompt) -> AsyncGenerator[SessionEvent, None]:
        """Raises `Conflict` when the turn before wasn't read to its end.

        The turn begins with the call: an interruption that comes before its first event still counts.
        """
        if self._in_turn:
            raise Conflict("the turn before this one hasn't ended: read it to its end first")
        self._in_turn = True
        self._interrupted = False
        return self._turn(prompt)

    async def answer(self, request_id: str, answer: str) -> None:
        self._questions.answer(request_id, answer)

    async def send(self, text: str) -> None:
        """Claude reads it after the next step of the running turn, else before the next prompt."""
        if self._talk is not None and self._asked:
            await self._talk.say(text)
        else:
            self._unsaid.append(text)

    async def interrupt(self) -> None:
        self._interrupted = True
        if self._asked:
            await self._end_turn()

    async def stop(self) -> None:
        """Commands that still run are ended by Claude Code when it is interrupted, and faster than at its
        end."""
        if self._talk is not None and self._asked:
            await self._talk.interrupt(_CLOSING_S)

    async def _turn(self, prompt: Prompt) -> AsyncGenerator[SessionEvent, None]:
        try:
            if self._lost is not None:
                raise self._lost
            async with aclosing(self._play(prompt)) as events:
                async for event in events:
                    if isinstance(event, TurnEnded):
                        self._in_turn = self._asked = False
                    yield event
        except SessionLost as lost:
            self._lost = lost
            self._in_turn = self._asked = False
            raise

    async def _play(self, prompt: Prompt) -> AsyncGenerator[SessionEvent, None]:
        talk = await self._ready(prompt)
        assert self._answering is not None
        assert self._hearing is not None
        if self._interrupted:
            yield TurnEnded(reason="interrupted")
            return
        self._state.begin(nonce=prompt.nonce, needs_report=not self._answering.by_schema)
        self._until = None
        unsaid, self._unsaid = self._unsaid, []
        self._asked = True
        await talk.say("\n\n".join((*unsaid, prompt.text)))
        limited, instead = False, None
        while True:
            try:
                message = await self._next()
            except TimeoutError as silence:
                raise SessionLost("Claude Code doesn't react to an interruption") from silence
            if isinstance(message, PermissionAsked):
                yield message
                continue
            for event in self._hearing.events(message, now_s=time.time()):
                limited = limited or isinstance(event, Limited)
                yield event
            if isinstance(message, ResultMessage):
                for event in self._ended(message, instead, limited=limited):
                    yield event
                return
            if instead is None and (taken_over := given_up(message)) is not None:
                if isinstance(taken_over, Limited):
                    yield taken_over
                    limited, taken_over = True, TurnEnded(reason="limited", detail=waits(taken_over))
                instead = taken_over
                await self._end_turn()

    def _ended(
        self, result: ResultMessage, instead: TurnEnded | None, *, limited: bool
    ) -> Iterator[SessionEvent]:
        if result.is_error and self._interrupted:
            yield TurnEnded(reason="interrupted")
            return
        if result.is_error and instead is not None:
            yield instead
            return
        found = ending(result)
        if isinstance(found, Limited):
            # A limit of the subscription was told already, with its time.
            if not limited:
                yield found
            found = TurnEnded(reason="limited", detail=waits(found))
        yield found

    async def _next(self) -> Message | PermissionAsked:
        """Raises TimeoutError when the turn was to end and does not. Else it takes as long as it takes: that
        the session is alive is watched by who uses it."""
        self._bound = asyncio.timeout_at(self._until)
        async with self._bound:
            return await self._heard.next()

    async def _end_turn(self) -> None:
        self._until = asyncio.get_running_loop().time() + _INTERRUPTION_S
        with suppress(RuntimeError):  # no wait is under way: the next one is bound by `_until`
            self._bound.reschedule(self._until)
        if self._talk is not None:
            await self._talk.interrupt(_INTERRUPTION_S)

    def activity(self) -> Activity | None:
        return None if self._talk is None else self._talk.activity()

    async def _ready(self, prompt: Prompt) -> Talk:
        if self._talk is None:
            self._answering = answering_to(prompt)
            resumed = self._opening.resume is not None
            self._hearing = Hearing(self._answering, self._opening.cwd, await self._bill(resumed=resumed))
            try:
                self._talk = await self._start(self._answering, resumed=resumed)
            except SessionLost as lost:
                if not resumed or _UNKNOWN_CONVERSATION not in str(lost):
                    raise
                await asyncio.to_thread(self._set_aside)
                self._talk = await self._start(self._answering, resumed=False)
        return self._talk

    def _set_aside(self) -> None:
        """Of a session that was killed before its first request, Claude Code may have begun a file: it can't
        resume from that, and takes the id for one in use as long as the file is there."""
        for path in conversations(self._env, self._id):
            path.replace(path.with_suffix(".unusable"))

    async def _bill(self, *, resumed: bool) -> Bill:
        restored = UsageReported()
        if resumed:
            restored = await asyncio.to_thread(kept_count, self._env, self._id)
        return Bill(before=self._opening.used or restored, restored=restored)

    async def _start(self, answering: Answering, *, resumed: bool) -> Talk:
        options = ClaudeAgentOptions(
            # What differs between worktrees goes into the first message, so that sessions share the rest.
            system_prompt={"type": "preset", "preset": "claude_code", "exclude_dynamic_sections": True},
            mcp_servers={SERVER: tool_server(answering, self._questions, self._state)},
            can_use_tool=self._may,
            hooks=self._hooks(),
            # A path after an @ and a slash at its beginning are part of the prompt, not commands.
            verbatim_prompts=True,
        )
        argv = command_line(
            self._installation.cli,
            self._opening,
            answering,
            session_id=self._id,
            resumed=resumed,
            pinned=self._pinned,
        )
        return await self._stack.enter_async_context(
            talking(argv, cwd=self._opening.cwd, env=self._env, options=options, heard=self._heard)
        )

    async def _may(
        self, tool: str, given: dict[str, Any], context: ToolPermissionContext
    ) -> PermissionResultAllow | PermissionResultDeny:
        subject = permission_subject(tool, given, self._opening.cwd)
        ruled = decided(self._opening.rules, tool, subject)
        if self._opening.permission_mode == "all" and (ruled is None or ruled[0] == ALLOW):
            return PermissionResultAllow()
        question = permission_question(tool, given, self._opening.cwd)
        said = await self._questions.ask(question, tool=tool, subject=subject)
        if said == ALLOW:
            return PermissionResultAllow()
        words = "The person said no." if said == DENY else f"The person said: {said}"
        return PermissionResultDeny(message=f"{words} Go on without it, or say why you can't.")

    def _hooks(self) -> dict[HookEvent, list[HookMatcher]]:
        hooks: dict[HookEvent, list[HookMatcher]] = {"Stop": [HookMatcher(hooks=[self._stopping])]}
        if self._opening.rules.deny or self._opening.rules.ask:
            # What the mode allows Claude Code doesn't ask for.
            hooks["PreToolUse"] = [HookMatcher(hooks=[self._before_a_tool])]
        return hooks

    async def _before_a_tool(
        self, hook: HookInput, _tool: str | None, _context: HookContext
    ) -> HookJSONOutput:
        given: Any = hook
        tool, what = str(given["tool_name"]), given["tool_input"]
        ruled = decided(self._opening.rules, tool, permission_subject(tool, what, self._opening.cwd))
        if ruled is None or ruled[0] == ALLOW:
            return {}
        # A session that only looks can ask nobody.
        how: Literal["ask", "deny"] = "deny" if read_only(self._opening) else "ask"
        return {
            "hookSpecificOutput": {
                "hookEventName": "PreToolUse",
                "permissionDecision": how,
                "permissionDecisionReason": f"A rule of the person's says {ruled[0]}: {ruled[1]}",
            }
        }

    async def _stopping(self, hook: HookInput, _tool: str | None, _context: HookContext) -> HookJSONOutput:
        refusal = self._state.refusal(hook)
        return {} if refusal is None else {"decision": "block", "reason": refusal}
