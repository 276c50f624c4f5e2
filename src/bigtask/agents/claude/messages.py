"""From what the SDK says of a session to our events. Pure but for what it keeps count of."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from claude_agent_sdk import (
    AssistantMessage,
    Message,
    RateLimitEvent,
    ResultMessage,
    StreamEvent,
    SystemMessage,
    TextBlock,
    ToolUseBlock,
)

from bigtask.agents.claude import conversation
from bigtask.agents.claude.answering import PERSON, Answering
from bigtask.agents.claude.bill import Bill
from bigtask.agents.claude.conversation import Conversation, Used, gave_up, limit_of_account
from bigtask.agents.protocol import Limited, SessionEvent, TurnEnded

_SIGN_IN = "Claude isn't signed in: run `claude` and sign in, or set ANTHROPIC_API_KEY"


class Hearing:
    """One session's messages, in order. Raises nothing: what isn't known is skipped."""

    def __init__(self, answering: Answering, cwd: Path, bill: Bill) -> None:
        self._bill = bill
        self._conversation = Conversation(cwd, report_of=answering.report_of, silent=frozenset({PERSON}))

    def events(self, message: Message, *, now_s: float) -> Iterator[SessionEvent]:
        """`now_s`: seconds since the epoch, by the clock that limits are told by."""
        match message:
            case AssistantMessage():
                # What the CLI says in the model's place is told by the end of the turn.
                ours = message.error is None and message.parent_tool_use_id is None
                blocks = _blocks(message)
                yield from self._conversation.said(blocks, message_id=message.message_id, ours=ours)
            case StreamEvent():
                usage = self._bill.hear(message.event)
                if usage is not None:
                    yield usage
            case ResultMessage():
                yield self._bill.close_turn(message)
            case RateLimitEvent(rate_limit_info=info):
                limited = limit_of_account(info.status, info.resets_at, now_s=now_s)
                if limited is not None:
                    yield limited


def _blocks(message: AssistantMessage) -> Iterator[str | Used]:
    for block in message.content:
        if isinstance(block, TextBlock):
            yield block.text
        elif isinstance(block, ToolUseBlock):
            yield Used(name=block.name, given=block.input)


def given_up(message: Message) -> Limited | TurnEnded | None:
    """What to end the turn with instead of letting Claude Code go on trying, None for all else it says."""
    if not isinstance(message, SystemMessage) or message.subtype != "api_retry":
        return None
    return gave_up(message.data, sign_in=_SIGN_IN)


def ending(result: ResultMessage) -> Limited | TurnEnded:
    """As `conversation.ending`."""
    return conversation.ending(result, sign_in=_SIGN_IN)
