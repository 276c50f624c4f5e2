"""Our side of the protocol: what an agent tells of a session, and what it asks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from acp import RequestError
from acp.schema import (
    AllowedOutcome,
    DeniedOutcome,
    PermissionOption,
    RequestPermissionResponse,
)

from bigtask.agents.acp.bill import Bill
from bigtask.agents.acp.heard import Heard
from bigtask.agents.acp.tool_calls import LOOKING, ToolCalls
from bigtask.agents.open_questions import OpenQuestions
from bigtask.agents.protocol import Opening, Text, ToolKind
from bigtask.core.permissions import ALLOW, DENY, decided

_KINDS = {ALLOW: ("allow_once", "allow_always"), DENY: ("reject_once", "reject_always")}


class Client:
    """`listening` is off while an agent tells a session's history over again."""

    def __init__(self, opening: Opening, heard: Heard, bill: Bill) -> None:
        self._opening = opening
        self._heard = heard
        self._bill = bill
        self._calls = ToolCalls(opening.cwd)
        self._message = -1
        self._message_id: object = None
        self._open = OpenQuestions(opening.name)
        self.listening = False

    def on_connect(self, conn: Any) -> None:
        pass

    async def session_update(self, session_id: str, update: Any, **_meta: Any) -> None:
        if not self.listening:
            return
        match update.session_update:
            case "agent_message_chunk":
                self._hear(update)
            case "tool_call" | "tool_call_update":
                self._message_id = None
                if (call := self._calls.learn(update)) is not None:
                    self._heard.put(call)
            case "usage_update" if update.cost is not None:
                self._heard.put(self._bill.cost(update.cost.amount, update.cost.currency))
            case "agent_thought_chunk":
                self._message_id = None

    async def request_permission(
        self, session_id: str, tool_call: Any, options: Sequence[PermissionOption], **_meta: Any
    ) -> RequestPermissionResponse:
        """Options differ in their names and order from agent to agent: they are chosen by their kind."""
        self._message_id = None
        if (call := self._calls.learn(tool_call)) is not None:
            self._heard.put(call)
        said = self._standing(tool_call.tool_call_id)
        if said is None:
            said = await self.ask(
                self._calls.question(tool_call.tool_call_id),
                tool=self._calls.name(tool_call.tool_call_id),
                subject=self._calls.subject(tool_call.tool_call_id),
            )
        kinds = _KINDS[ALLOW if said == ALLOW else DENY] if said is not None else ()
        chosen = next((option for kind in kinds for option in options if option.kind == kind), None)
        if chosen is None:
            return RequestPermissionResponse(outcome=DeniedOutcome(outcome="cancelled"))
        return RequestPermissionResponse(
            outcome=AllowedOutcome(outcome="selected", option_id=chosen.option_id)
        )

    def _standing(self, call_id: str) -> str | None:
        """What needs no person: a rule, a session that only looks, a mode that allows it."""
        if self._calls.ours(call_id):
            return ALLOW
        opening, kind = self._opening, self._calls.kind(call_id)
        ruled = decided(opening.rules, self._calls.name(call_id), self._calls.subject(call_id))
        if opening.read_only:
            # A session that only looks has nobody to ask.
            return ALLOW if kind in LOOKING and (ruled is None or ruled[0] == ALLOW) else DENY
        # What a tool of no known kind would do can't be held against a rule.
        unknown = kind is ToolKind.OTHER and bool(opening.rules.ask or opening.rules.deny)
        if ruled is not None or unknown:
            return None
        if opening.permission_mode == "all":
            return ALLOW
        edits = kind in (ToolKind.EDIT, ToolKind.WRITE)
        if opening.permission_mode == "acceptEdits" and edits and self._calls.inside(call_id):
            return ALLOW
        return None

    async def ask(
        self, question: str, options: Sequence[str] = (ALLOW, DENY), *, tool: str = "", subject: str = ""
    ) -> str | None:
        """A person's answer; None where the turn is interrupted meanwhile."""
        with self._open.asking(question, options, tool=tool, subject=subject) as (asked, answer):
            self._heard.put(asked)
            return await answer

    def answer(self, request_id: str, answer: str) -> None:
        self._open.answer(request_id, answer)

    def withdraw(self) -> None:
        """Questions that are open get no answer any more."""
        self._open.withdraw()

    def begin(self) -> None:
        self.listening = True
        self._message_id = None

    def _hear(self, chunk: Any) -> None:
        text = getattr(chunk.content, "text", None)
        if not isinstance(text, str) or not text:
            return
        # Agents that don't number their messages separate them by what they do between them.
        this = chunk.message_id or "the same"
        if this != self._message_id:
            self._message_id = this
            self._message += 1
        self._heard.put(Text(text=text, message=self._message))

    async def ext_method(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        raise RequestError.method_not_found(method)

    async def ext_notification(self, method: str, params: dict[str, Any]) -> None:
        pass
