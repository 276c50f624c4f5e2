"""From the text of one block, or from a value that came some better way, to a checked `Response`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import structs

from bigtask.protocol.bounded_json import NotJson, Unreadable, check_value, clipped, read_json
from bigtask.protocol.fields import BLOCKS, read_fields
from bigtask.protocol.mending import Mended, from_text, mend
from bigtask.protocol.mending_effort import Effort
from bigtask.protocol.misplaced import misplaced
from bigtask.protocol.response import Quality, Response

_KEYS = frozenset({"phase", "data", "nonce"})
_QUOTED = tuple(f'"{phase}"' for phase in BLOCKS)
_TOO_MANY = "the message holds too many blocks that can't be read: give one block that can"


def read_block(
    raw: str, before_text: str = "", *, ended: bool = True, effort: Effort | None = None
) -> Response:
    """`raw` is what stands between the delimiters; what isn't JSON is mended where that leaves one meaning.

    `ended` says that there was an end delimiter. Without one the message may have been cut, so that brackets
    which aren't closed are no mistake of form. `effort` is what the message has left for broken blocks.
    """
    effort = effort or Effort()
    again = effort.known(raw, ended)
    if again is not None:
        effort.met_broken()
        return structs.replace(again, before_text=before_text)
    block = _read(raw, before_text, ended=ended, effort=effort)
    if not block.usable:
        effort.remember(raw, ended, block)
    return block


def _read(raw: str, before_text: str, *, ended: bool, effort: Effort) -> Response:
    if effort.spent and not any(phase in raw for phase in _QUOTED):
        return Response(
            quality=Quality.INVALID, errors=(_TOO_MANY,), before_text=before_text, raw=storable(raw)
        )
    try:
        mended = _mended(raw, effort, ended=ended)
        if mended.repairs:
            _check_places(mended.value, moved=mended.moved)
    except Unreadable as problem:
        effort.met_broken()
        return Response(
            quality=Quality.INVALID, errors=(str(problem),), before_text=before_text, raw=storable(raw)
        )
    block = _checked(mended.value, raw, before_text, mended.repairs)
    if not block.usable or mended.repairs:
        effort.met_broken()
    return block


def read_value(phase: str, data: Any, nonce: str | None = None) -> Response:
    """For agents that report by a tool call or a schema result: the same checks, without any text.

    The caller vouches for the session by giving the nonce of its turn.
    """
    try:
        check_value(data)
    except Unreadable as problem:
        return Response(quality=Quality.INVALID, phase=phase, nonce=nonce, errors=(str(problem),))
    return _checked({"phase": phase, "data": data, **({} if nonce is None else {"nonce": nonce})})


def storable(text: str) -> str:
    """The text with a question mark for each lone surrogate, which no store and no JSON could take."""
    return text if text.isascii() else text.encode(errors="replace").decode()


def _mended(raw: str, effort: Effort, *, ended: bool) -> Mended:
    try:
        value = read_json(raw)
    except NotJson:
        if effort.spent:
            raise
        return mend(raw, effort, ended=ended)
    return (from_text(value) if isinstance(value, str) else None) or Mended(value=value)


def _check_places(value: Any, *, moved: bool) -> None:
    """Raises `Unreadable` where a field may have come into the wrong object."""
    phase = value.get("phase") if isinstance(value, dict) else None
    if not isinstance(phase, str) or phase not in BLOCKS:
        return
    block = BLOCKS[phase]
    beside = [key for key in value if key not in _KEYS and (moved or key in block.fields)]
    strange = beside[0] if beside else misplaced(value.get("data"), block, _KEYS) if moved else None
    if strange is not None:
        raise Unreadable(
            "the block isn't valid JSON: a bracket or comma is missing or too many, and it can't be told to "
            f"which object {clipped(strange)} belongs: give the block again with its brackets right"
        )


def _checked(value: Any, raw: str = "", before_text: str = "", repairs: tuple[str, ...] = ()) -> Response:
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
        quality=Quality.INVALID if errors else Quality.REPAIRED if repairs else Quality.STRICT,
        phase=phase,
        data=data,
        nonce=nonce,
        errors=tuple(errors),
        warnings=tuple(warnings),
        repairs=repairs,
        before_text=before_text,
        raw=raw,
    )
