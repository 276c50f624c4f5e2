"""The one shape of every JSON answer."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec
from starlette.responses import Response

from bigtask.server.refusal import Refusal

JSON = "application/json"


def success(code: int = 200, *, headers: Mapping[str, str] | None = None, **fields: Any) -> Response:
    """`{"success": true, …fields, "timestamp"}`; structs are shown as they write themselves."""
    content = msgspec.json.encode({"success": True, **fields, "timestamp": now()})
    return Response(content, code, headers, media_type=JSON)


def failure(refusal: Refusal) -> Response:
    """`{"success": false, "error", "message", "details", "timestamp"}`."""
    content = msgspec.json.encode(
        {
            "success": False,
            "error": refusal.error,
            "message": refusal.message,
            "details": refusal.details,
            "timestamp": now(),
        }
    )
    return Response(content, refusal.status_code, refusal.headers, media_type=JSON)


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
