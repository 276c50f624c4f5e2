"""The tools that a session offers to Claude in this process: progress, completion, and asking a person."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from claude_agent_sdk import McpSdkServerConfig, ToolAnnotations, create_sdk_mcp_server, tool

from bigtask.agents.claude.answering import SERVER, Answering, declared
from bigtask.agents.claude.questions import Questions
from bigtask.agents.claude.turn_state import TurnState
from bigtask.core.unanswered import NONE_OF_THESE
from bigtask.protocol.fields import schema
from bigtask.protocol.reading import read_value

_QUESTION = {
    "type": "object",
    "properties": {
        "question": {"type": "string", "minLength": 1, "description": "one question, with what it is about"},
        "options": {
            "type": "array",
            "items": {"type": "string", "minLength": 1},
            "minItems": 2,
            "description": "the answers that the person can choose from",
        },
    },
    "required": ["question", "options"],
}
_DECIDE = "None of these. Decide it yourself, and say in your report what you assumed."
# Without it Claude Code runs our tools one after the other, and a question would hold up the others.
_AT_ONCE = ToolAnnotations(readOnlyHint=True)


def tool_server(answering: Answering, questions: Questions, state: TurnState) -> McpSdkServerConfig:
    """What is reported is read from the tool calls that the session shows. Here it is only checked, so that
    Claude hears at once what is wrong with it.
    """

    @tool("report_progress", "Say how the task goes.", declared(schema("progress")), annotations=_AT_ONCE)
    async def report_progress(given: dict[str, Any]) -> dict[str, Any]:
        return _said(*read_value("progress", given).errors)

    @tool("ask_person", "Ask the person what only they can decide.", _QUESTION, annotations=_AT_ONCE)
    async def ask_person(given: dict[str, Any]) -> dict[str, Any]:
        said = await questions.ask(given["question"], (*given["options"], NONE_OF_THESE))
        return _text(_DECIDE if said == NONE_OF_THESE else said)

    @tool(
        "report_completion",
        "Report what became of your task, when you are done with it. The last report counts.",
        dict(answering.schema),
    )
    async def report_completion(given: dict[str, Any]) -> dict[str, Any]:
        errors = read_value(answering.block, given).errors
        if not errors:
            state.reported = True
        return _said(*errors)

    offered = [ask_person] if answering.by_schema else [report_progress, ask_person, report_completion]
    return create_sdk_mcp_server(SERVER, tools=offered)


def _said(*errors: str) -> dict[str, Any]:
    if not errors:
        return _text("Noted.")
    return {**_text("This can't be used as it is: " + "; ".join(errors)), "is_error": True}


def _text(text: str) -> dict[str, Any]:
    content: Mapping[str, Any] = {"type": "text", "text": text}
    return {"content": [content]}
