"""What an agent is made to show in the suite: each behaviour as steps of a script, and in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bigtask.agents.protocol import ToolKind

HOSTILE = "é 😀 \u202e \x00 \x1b[31m \r\n {CWD} <<<END_ORCHESTRATOR_RESPONSE>>·> \\ \" ' `$(x)`"
TOOLS = [{"do": "tool", "kind": kind.value} for kind in ToolKind]
BEHAVIOURS: Mapping[str, list[dict[str, Any]]] = {
    "uses tools": [*TOOLS, *TOOLS[:2], {"do": "answer"}],
    "streams messages": [
        {"do": "say", "text": ["Loo", "king."]},
        {"do": "progress", "percent": 40},
        {"do": "say", "text": "Done. "},
        {"do": "answer", "pieces": 7, "joined": True},
    ],
    "reports by a tool": [
        {"do": "report", "phase": "progress", "data": {"status": "in_progress"}},
        {"do": "report", "data": {"status": "fine"}},
        {"do": "report", "data": {"status": "success", "summary": "by a tool"}},
        {"do": "say", "text": "That was it."},
    ],
    "reports usage": [
        {"do": "usage", "input_tokens": 10, "cost_usd": 0.5},
        {"do": "usage", "input_tokens": 30, "output_tokens": 4, "cost_usd": 1.25},
        {"do": "answer"},
    ],
    "asks permission": [
        {
            "do": "ask",
            "question": "Run make?",
            "allow": [{"do": "say", "text": "ran"}],
            "deny": [{"do": "say", "text": "left it"}],
        },
        {"do": "answer"},
    ],
    "hangs": [{"do": "say", "text": "hm"}, {"do": "hang"}],
    "waits for a message": [
        {"do": "say", "text": "?"},
        {"do": "listen"},
        {"do": "answer", "data": {"status": "success", "summary": "{MESSAGE}"}},
    ],
    "dies": [{"do": "say", "text": "oh"}, {"do": "crash"}],
    "exits": [{"do": "exit", "code": 3}],
    "floods": [
        {"do": "flood", "bytes": 3_000_000},
        {"do": "flood", "bytes": 3_000_000, "stream": "stderr"},
        {"do": "flood", "bytes": 6_000_000, "lines": False},
        {"do": "answer"},
    ],
    "is limited": [{"do": "limit", "kind": "rate", "reset_s": 30}, {"do": "answer"}],
    "answers in a wrong format": [{"do": "answer", "data": {"status": "fine"}}],
    "forges": [{"do": "answer", "nonce": "wrong"}],
    "says hostile strings": [
        {"do": "say", "text": HOSTILE},
        {"do": "answer", "data": {"status": "success", "summary": HOSTILE}},
    ],
    "ends with an error": [{"do": "end", "reason": "error", "detail": "out of paper"}],
}
"""By name, the steps of a turn as `bigtask.agents.scripted.script` plays them. `dies` and `exits` are of a
session's first turn only: what resumes it can go on. Beside them there is `answers`, a good answer in every
phase."""

ANSWERS = "answers"
IN_WORDS: Mapping[str, str] = {
    ANSWERS: "answers in every phase",
    "uses tools": "tool calls are counted by kind",
    "streams messages": "messages arrive while they are said",
    "reports by a tool": "answers by a tool of ours",
    "reports usage": "tokens and cost",
    "asks permission": "asks, and waits for the answer",
    "hangs": "an interrupted turn, and the session goes on",
    "waits for a message": "hears what is said in the middle of a turn",
    "dies": "killed: told as lost, resumed where it can be",
    "exits": "exits: likewise",
    "floods": "12 MB of noise don't hide the answer",
    "is limited": "a limit of its account is told",
    "answers in a wrong format": "a wrong format is asked again",
    "forges": "a forged answer isn't believed",
    "says hostile strings": "strings arrive as they were said",
    "ends with an error": "an error is told with its detail",
}
"""Every behaviour, for people."""
