"""What schema.json says about a template, in sentences that its author understands in one reading."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from difflib import get_close_matches
from functools import cache
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import ValidationError

# importlib.resources would cost every start 20 ms, for packages that aren't folders: this one always is.
SCHEMA_PATH = Path(__file__).with_name("schema.json")

Problem = tuple[str, str]
"""A JSON pointer (RFC 6901) and a sentence."""


MOST_PROBLEMS = 100
"""Nobody reads more at once, and wording each of a million would take hours."""


def shape_problems(raw: object) -> tuple[Problem, ...]:
    """Each thing that the schema refuses, once, in the order of the pointers; empty means none. The first
    `MOST_PROBLEMS` that are found."""
    found = (problem for error in _validator().iter_errors(raw) for problem in _problems(error))
    return tuple(sorted(dict.fromkeys(islice(found, MOST_PROBLEMS))))


def pointer(path: Iterable[str | int]) -> str:
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in path)


def suggestion(word: str, known: Iterable[str]) -> str:
    """`: did you mean x?` when one of the known words is close, else nothing."""
    close = get_close_matches(word[:100], sorted(known), n=1, cutoff=0.7)
    return f": did you mean {close[0]}?" if close else ""


@cache
def schema() -> Mapping[str, Any]:
    loaded: Mapping[str, Any] = json.loads(SCHEMA_PATH.read_bytes())
    return loaded


@cache
def _validator() -> Draft202012Validator:
    # Importing it costs a tenth of a second, which every command would pay and only template authors need.
    from jsonschema import Draft202012Validator

    return Draft202012Validator(schema())


def _problems(error: ValidationError) -> Iterator[Problem]:
    where = pointer(error.absolute_path)
    value: Any = error.instance
    wanted: Any = error.schema
    limit: Any = error.validator_value
    match error.validator:
        case "additionalProperties":
            known = wanted["properties"]
            yield from (
                (where + pointer([key]), _unknown(key, known, value)) for key in value if key not in known
            )
        case "required":
            yield from ((where + pointer([key]), _missing(key)) for key in limit if key not in value)
        case "uniqueItems":
            yield where, "must not repeat an entry"
        case _ if "propertyNames" in error.absolute_schema_path:
            yield where + pointer([value]), f"the name must be {_wanted(wanted)}"
        case _:
            yield where, f"must be {_wanted(wanted)}, not {_shown(value)}{_hint(value, wanted)}"


def _unknown(key: str, known: Mapping[str, Any], given: Collection[str]) -> str:
    # One that is there already can't be what was meant.
    meant = suggestion(key, [word for word in known if word not in given]) or suggestion(key, known)
    key = _named(key)
    if meant:
        return f"{key} isn't known here{meant}"
    homes = [home for home in _homes().get(key, ()) if home]
    if homes:
        return f"{key} isn't known here: it belongs in {' or '.join(homes)}"
    return f"{key} isn't known here: known are {', '.join(sorted(known))}"


def _named(key: str) -> str:
    """A key as its author wrote it, unless that would make the sentence unreadable."""
    return key if key.isidentifier() and len(key) <= 60 else _shortened(key)


def _missing(key: str) -> str:
    if key in schema()["required"]:
        return f"{key} is missing: every template has one of its own"
    return f"{key} is missing: a template without extends needs it"


def _wanted(wanted: Mapping[str, Any]) -> str:
    """What stands in the schema, in words. Every kind of error of one place gives the same words, so that
    a value that is wrong in two ways is named once."""
    if "enum" in wanted:
        return "one of " + ", ".join(value for value in wanted["enum"] if value is not None)
    types = wanted.get("type", "string")
    kinds = [kind for kind in ([types] if isinstance(types, str) else types) if kind != "null"]
    return " or ".join(_kind(kind, wanted) for kind in kinds)


def _kind(kind: str, wanted: Mapping[str, Any]) -> str:
    match kind:
        case "string":
            least = wanted.get("minLength", 0)
            plain = f"text of at least {least} characters" if least > 1 else "some text" if least else "text"
            return str(wanted.get("patternErrorMessage", plain))
        case "integer" | "number":
            number = "a whole number" if kind == "integer" else "a number"
            if "maximum" in wanted:
                return f"{number} from {wanted['minimum']} to {wanted['maximum']}"
            return number + (f" above {wanted['exclusiveMinimum']}" if "exclusiveMinimum" in wanted else "")
        case "boolean":
            return "true or false"
        case "array":
            return "a list that isn't empty" if "minItems" in wanted else "a list"
        case _:
            return "an object"


def _shown(value: object) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case str():
            return "empty text" if value == "" else f"the text {_shortened(value)}"
        case list():
            return "a list" if value else "an empty list"
        case dict():
            return "an object"
        case _:
            return str(value)


def _shortened(text: str) -> str:
    return json.dumps(text if len(text) <= 60 else text[:59] + "…", ensure_ascii=False)


def _hint(value: object, wanted: Mapping[str, Any]) -> str:
    if not isinstance(value, str):
        return ""
    if "enum" in wanted:
        return suggestion(value, (known for known in wanted["enum"] if known is not None))
    if "array" in wanted.get("type", ()) and value.strip() and len(value) <= 60:
        command = value.split()
        nested = "$ref" in wanted["items"]
        return f": write {json.dumps([command] if nested else command, ensure_ascii=False)}"
    return ""


@cache
def _homes() -> Mapping[str, tuple[str, ...]]:
    """Each key of the schema with the pointers of the objects that know it."""
    homes: dict[str, tuple[str, ...]] = {}

    def visit(part: Mapping[str, Any], where: str) -> None:
        if "$ref" in part:
            part = schema()["$defs"][part["$ref"].rpartition("/")[2]]
        for key, inner in part.get("properties", {}).items():
            homes[key] = (*homes.get(key, ()), where)
            visit(inner, f"{where}/{key}")

    visit(schema(), "")
    return homes
