"""What is wrong with a field of a request, in words that say what is wanted."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from bigtask.server.request_body import Body
from bigtask.templates.shape import suggestion

_LONGEST = 60
_WANTED = {
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "string_type": "some text",
    "list_type": "a list",
    "tuple_type": "a list",
    "dict_type": "an object",
    "model_type": "an object",
    "model_attributes_type": "an object",
    "literal_error": "one of {expected}",
    "enum": "one of {expected}",
    "less_than_equal": "at most {le}",
    "less_than": "less than {lt}",
    "greater_than_equal": "at least {ge}",
    "greater_than": "more than {gt}",
    "string_too_long": "at most {max_length} characters",
    "too_long": "a list of at most {max_length}",
    "too_short": "a list of at least {min_length}",
}
"""By the framework's name for the mistake: what comes after `must be`."""


def sentence(found: Mapping[str, Any]) -> str:
    """`found` is one error as pydantic lists them, with `type`, `loc`, `input` and, for some, `ctx`."""
    kind, given = found["type"], found.get("input")
    name = str(found["loc"][-1])
    if kind == "missing":
        return f"{name} is missing" if len(found["loc"]) > 1 else "must not be empty"
    if kind == "extra_forbidden":
        return f"{name} isn't known here{suggestion(name, _known())}"
    if kind == "string_too_short":
        return "must not be empty"
    if kind not in _WANTED:
        said = str(found["msg"]).removeprefix("Value error, ")
        return said[:1].lower() + said[1:]
    bounds = {name: _plain(bound) for name, bound in found.get("ctx", {}).items()}
    wanted = _WANTED[kind].format_map(bounds)
    return f"must be {wanted}, not {_shown(given)}"


def _known() -> set[str]:
    """Every field of every body: a close one is what was meant, or shows where to look."""
    bodies = Body.__subclasses__()
    return {field.alias or name for body in bodies for name, field in body.model_fields.items()}


def _plain(bound: object) -> str:
    return f"{bound:g}" if isinstance(bound, float) else str(bound)


def _shown(given: object) -> str:
    match given:
        case Mapping():
            return "an object"
        case list():
            return "a list"
        case _:
            text = json.dumps(given, ensure_ascii=False, default=str)
            return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
