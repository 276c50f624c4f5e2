"""From the text of one block, or from a value that came some better way, to a checked `Response`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bigtask.protocol.bounded_json import Unreadable, check_value, clipped, read_json
from bigtask.protocol.fields import BLOCKS, read_fields
from bigtask.protocol.response import Quality, Response

_KEYS = frozenset({"phase", "data", "nonce"})


def read_block(raw: str, before_text: str = "") -> Response:
    """`raw` is what stands between the delimiters. Mending starts here: what `read_json` refuses."""
    try:
        value = read_json(raw)
    except Unreadable as problem:
        return Response(
            quality=Quality.INVALID, errors=(str(problem),), before_text=before_text, raw=storable(raw)
        )
    return _checked(value, raw, before_text)


def read_value(phase: str, data: Any, nonce: str | None = None) -> Response:
    """For agents that report by a tool call or a schema result: the same checks, without any text.

    The caller vouches for the session by giving the nonce of its turn.
    """
    try:
        check_value(data)
    except Unreadable as problem:
        return Response(quality=Quality.INVALID, phase=phase, nonce=nonce, errors=(str(problem),))
    return _checked({"phase": phase, "data": data, **({} if nonce is None else {"nonce": nonce})}, "")


def storable(text: str) -> str:
    """The text with a question mark for each lone surrogate, which no store and no JSON could take."""
    return text if text.isascii() else text.encode(errors="replace").decode()


def _checked(value: Any, raw: str, before_text: str = "") -> Response:
    if not isinstance(value, dict):
        return Response(
            quality=Quality.INVALID,
            errors=(f"the block must be one JSON object, not {clipped(value)}",),
            before_text=before_text,
            raw=raw,
        )
    errors: list[str] = []
    unknown = [] if value.keys() <= _KEYS else [key for key in value if key not in _KEYS]
    warnings = [f'{clipped(key)} beside "phase" isn\'t known: it is ignored' for key in unknown]
    nonce = value.get("nonce")
    if "nonce" in value and not isinstance(nonce, str):
        errors.append(f"nonce must be text, not {clipped(nonce)}")
        nonce = None
    phase = value.get("phase")
    if not isinstance(phase, str) or phase not in BLOCKS:
        said = f"not {clipped(phase)}" if "phase" in value else "and it is missing"
        errors.append(f"phase must be one of {', '.join(BLOCKS)}, {said}")
        phase = None
    data: Mapping[str, Any] = {}
    if "data" not in value:
        errors.append('data is missing: put the fields of the phase into an object called "data"')
    elif phase is not None:
        reading = read_fields(phase, value["data"])
        data = reading.data
        errors += reading.errors
        warnings += reading.warnings
    return Response(
        quality=Quality.INVALID if errors else Quality.STRICT,
        phase=phase,
        data=data,
        nonce=nonce,
        errors=tuple(errors),
        warnings=tuple(warnings),
        before_text=before_text,
        raw=raw,
    )
