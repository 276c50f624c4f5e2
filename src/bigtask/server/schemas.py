"""The shapes of answers in the OpenAPI document, made from the values themselves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from bigtask.core.summary import Summary
from bigtask.core.view import RunView, WorkerView
from bigtask.report.result import RunResult
from bigtask.server.refusal import NAMES

_SHAPES = (RunView, WorkerView, Summary, RunResult)

_STAMP = {"type": "string", "format": "date-time", "description": "ISO 8601, UTC."}
_EXAMPLE_TIME = "2026-01-31T12:00:00.000Z"

ERROR = {
    "title": "Error",
    "type": "object",
    "required": ["success", "error", "message", "details", "timestamp"],
    "additionalProperties": False,
    "properties": {
        "success": {"const": False},
        "error": {"enum": list(NAMES.values())},
        "message": {"type": "string", "description": "What is wrong, where, and what to do about it."},
        "details": {"type": "object"},
        "timestamp": _STAMP,
    },
    "example": {
        "success": False,
        "error": "ConflictError",
        "message": "the run is completed: pause isn't possible now (possible: delete, merge, retry)",
        "details": {"status": "completed"},
        "timestamp": _EXAMPLE_TIME,
    },
}

EVENT = {
    "title": "Event",
    "type": "object",
    "required": ["seq", "type", "orchestratorId", "at", "data"],
    "properties": {
        "seq": {"type": "integer", "minimum": 1},
        "type": {"type": "string", "description": "docs/events.md lists them with their data."},
        "orchestratorId": {"type": "string"},
        "at": _STAMP,
        "data": {"type": "object"},
    },
}


def components() -> dict[str, Any]:
    _, found = msgspec.json.schema_components(_SHAPES, ref_template="#/components/schemas/{name}")
    return {**found, "Error": ERROR, "Event": EVENT}


def ref(name: str) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{name}"}


def list_of(name: str) -> dict[str, Any]:
    return {"type": "array", "items": ref(name)}


STRING: dict[str, Any] = {"type": "string"}
INTEGER: dict[str, Any] = {"type": "integer"}
BOOLEAN: dict[str, Any] = {"type": "boolean"}
OBJECT: dict[str, Any] = {"type": "object"}
OBJECTS: dict[str, Any] = {"type": "array", "items": {"type": "object"}}


def nullable(schema: Mapping[str, Any]) -> dict[str, Any]:
    return {"anyOf": [dict(schema), {"type": "null"}]}


def answers(
    *errors: int,
    code: int = 200,
    said: str = "Done.",
    example: Mapping[str, Any] | None = None,
    **fields: Any,
) -> dict[int | str, dict[str, Any]]:
    """For a route's `responses`: the envelope with these fields, by their schemas, and the errors that the
    route can answer with besides those of every route."""
    schema: dict[str, Any] = {
        "type": "object",
        "required": ["success", *fields, "timestamp"],
        "properties": {"success": {"const": True}, **fields, "timestamp": _STAMP},
    }
    if example is not None:
        schema["example"] = {"success": True, **example, "timestamp": _EXAMPLE_TIME}
    return {
        code: {"description": said, "content": {"application/json": {"schema": schema}}},
        **failures(*errors),
    }


def failures(*errors: int) -> dict[int | str, dict[str, Any]]:
    return {
        error: {"description": NAMES[error], "content": {"application/json": {"schema": ref("Error")}}}
        for error in sorted({400, 401, 403, 429, 500, *errors})
    }
