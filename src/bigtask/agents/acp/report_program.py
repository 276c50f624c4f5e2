"""The MCP server that an agent starts: `python -m bigtask.agents.acp.report_program`.

It speaks the Model Context Protocol on its standard streams, one JSON object a line, and hands each call of a
tool to the session that offered it. It ends with its input.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import threading
from typing import Any

# As in reporting.py, whose imports would keep every session waiting.
VARIABLE = "BIGTASK_REPORT_SOCKET"
_VERSIONS = ("2025-06-18", "2025-03-26", "2024-11-05")
_ANSWER = {
    "type": "object",
    "properties": {
        "answer": {
            "type": "object",
            "description": "the fields of the answer, as they would stand in its block",
        }
    },
    "required": ["answer"],
}
_PROGRESS = {
    "type": "object",
    "properties": {
        "task_id": {"type": "string"},
        "status": {"type": "string", "enum": ["in_progress"]},
        "percent_complete": {"type": "number", "minimum": 0, "maximum": 100},
        "summary": {"type": "string"},
    },
    "required": ["status"],
}
_QUESTION = {
    "type": "object",
    "properties": {
        "question": {"type": "string", "minLength": 1, "description": "one question, with what it is about"},
        "options": {"type": "array", "items": {"type": "string", "minLength": 1}, "minItems": 2},
    },
    "required": ["question", "options"],
}
TOOLS = (
    {
        "name": "report_answer",
        "description": "Give the answer that you were asked for, when you are done. The last one counts.",
        "inputSchema": _ANSWER,
    },
    {"name": "report_progress", "description": "Say how the task goes.", "inputSchema": _PROGRESS},
    {
        "name": "ask_person",
        "description": "Ask the person what only they can decide.",
        "inputSchema": _QUESTION,
    },
)
_writing = threading.Lock()


def main() -> int:
    path = os.environ.get(VARIABLE)
    if path is None:
        sys.stderr.write(f"{VARIABLE} isn't set: this program is started by a session of bigtask\n")
        return 2
    for line in sys.stdin.buffer:
        try:
            message = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(message, dict) and "id" in message and "method" in message:
            # A question to a person may take an hour, and holds up nothing else.
            threading.Thread(target=_answer, args=(message, path), daemon=True).start()
    return 0


def _answer(message: dict[str, Any], path: str) -> None:
    params = message.get("params")
    params = params if isinstance(params, dict) else {}
    result: dict[str, Any] = {}
    match message["method"]:
        case "initialize":
            asked = params.get("protocolVersion")
            result = {
                "protocolVersion": asked if asked in _VERSIONS else _VERSIONS[0],
                "capabilities": {"tools": {}},
                "serverInfo": {"name": "bigtask", "version": "1"},
            }
        case "ping":
            pass
        case "tools/list":
            result = {"tools": list(TOOLS)}
        case "tools/call":
            result = _called(params, path)
        case other:
            error = {"code": -32601, "message": f"there is no method {other}"}
            _say({"jsonrpc": "2.0", "id": message["id"], "error": error})
            return
    _say({"jsonrpc": "2.0", "id": message["id"], "result": result})


def _called(params: dict[str, Any], path: str) -> dict[str, Any]:
    asked = {"tool": params.get("name"), "arguments": params.get("arguments")}
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as there:
            there.connect(path)
            there.sendall(json.dumps(asked).encode() + b"\n")
            said = json.loads(there.makefile("rb").readline())
    except (OSError, ValueError):
        return _text("The session that offered this tool is over: give your answer as text.", wrong=True)
    return _text(str(said["text"]), wrong=bool(said["isError"]))


def _text(text: str, *, wrong: bool) -> dict[str, Any]:
    return {"content": [{"type": "text", "text": text}], "isError": wrong}


def _say(message: dict[str, Any]) -> None:
    with _writing:
        sys.stdout.buffer.write(json.dumps(message).encode() + b"\n")
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    sys.exit(main())
