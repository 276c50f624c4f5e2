"""The kinds of value that a block's fields have: how each is read, said in words, and as JSON Schema.

`read` gives the value to go on with and notes what is wrong in `Findings`; it never raises. `fits` is the
quick way for what most answers are: it says yes only where `read` would give the value itself and note
nothing. JSON Schema is
draft 2020-12. What a schema accepts can still be refused here (text of blanks), never the other way round,
except that null in an optional field reads as a field that isn't there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol

from bigtask.protocol.bounded_json import clipped

_MOST_ERRORS = 20
_LONGEST_NAME = 60


class Findings:
    """The sentences about one block. Past the first 20, errors are only counted: they go into a prompt."""

    def __init__(self) -> None:
        self._errors: list[str] = []
        self._more = 0
        self._warnings: dict[str, None] = {}

    def wrong(self, sentence: str) -> None:
        if len(self._errors) < _MOST_ERRORS:
            self._errors.append(sentence)
        else:
            self._more += 1

    def odd(self, sentence: str) -> None:
        if len(self._warnings) < _MOST_ERRORS:
            self._warnings[sentence] = None

    @property
    def errors(self) -> tuple[str, ...]:
        return (*self._errors, f"{self._more} more errors") if self._more else tuple(self._errors)

    @property
    def warnings(self) -> tuple[str, ...]:
        return tuple(self._warnings)


class Shape(Protocol):
    @property
    def words(self) -> str:
        """With its article: "a whole number from 1 to 10"."""

    def fits(self, value: Any) -> bool: ...

    def read(self, value: Any, path: str, findings: Findings) -> Any: ...

    def schema(self) -> dict[str, Any]: ...


def _mismatch(shape: Shape, value: Any, path: str, findings: Findings) -> Any:
    findings.wrong(f"{path} must be {shape.words}, not {clipped(value)}")
    return value


@dataclass(frozen=True, kw_only=True)
class Words:
    """Text. `blank` says whether it may be empty."""

    blank: bool = True

    @property
    def words(self) -> str:
        return "text" if self.blank else "text that isn't empty"

    def fits(self, value: Any) -> bool:
        return type(value) is str and (self.blank or bool(value.strip()))

    def read(self, value: Any, path: str, findings: Findings) -> Any:
        if not isinstance(value, str) or not (self.blank or value.strip()):
            return _mismatch(self, value, path, findings)
        return value

    def schema(self) -> dict[str, Any]:
        return {"type": "string"} if self.blank else {"type": "string", "minLength": 1}


@dataclass(frozen=True, kw_only=True)
class Number:
    """A number from `low` to `high`. `whole` ones may be written 3.0 and read as 3."""

    low: int = 0
    high: int | None = None
    whole: bool = True

    @property
    def words(self) -> str:
        kind = "a whole number" if self.whole else "a number"
        return (
            f"{kind} of at least {self.low}"
            if self.high is None
            else f"{kind} from {self.low} to {self.high}"
        )

    def fits(self, value: Any) -> bool:
        # A whole number that is written 3.0 is read as 3.
        right = type(value) is int or (type(value) is float and not self.whole)
        return right and value >= self.low and (self.high is None or value <= self.high)

    def read(self, value: Any, path: str, findings: Findings) -> Any:
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if (
            not number
            or value < self.low
            or (self.high is not None and value > self.high)
            or (self.whole and value % 1 != 0)
        ):
            return _mismatch(self, value, path, findings)
        return int(value) if self.whole else value

    def schema(self) -> dict[str, Any]:
        found: dict[str, Any] = {"type": "integer" if self.whole else "number", "minimum": self.low}
        return found if self.high is None else {**found, "maximum": self.high}


@dataclass(frozen=True, kw_only=True)
class Choice:
    """One of some words. `aliases` are other words that models use, with what each is read as."""

    options: tuple[str, ...]
    aliases: Mapping[str, str] = field(default_factory=dict)

    @property
    def words(self) -> str:
        quoted = [f'"{option}"' for option in self.options]
        return f"{', '.join(quoted[:-1])} or {quoted[-1]}"

    def fits(self, value: Any) -> bool:
        return value in self.options

    def read(self, value: Any, path: str, findings: Findings) -> Any:
        if isinstance(value, str):
            value = self.aliases.get(value, value)
        return value if value in self.options else _mismatch(self, value, path, findings)

    def schema(self) -> dict[str, Any]:
        return {"type": "string", "enum": [*self.options, *self.aliases]}


@dataclass(frozen=True, kw_only=True)
class Listing:
    """A list. `called` names its items: "texts", "tasks"; `empty` says whether there may be none."""

    of: Shape
    called: str
    empty: bool = True

    @property
    def words(self) -> str:
        return f"a list of {self.called}" if self.empty else f"a list of {self.called} that isn't empty"

    def fits(self, value: Any) -> bool:
        return type(value) is list and (self.empty or bool(value)) and all(map(self.of.fits, value))

    def read(self, value: Any, path: str, findings: Findings) -> Any:
        if not isinstance(value, list) or not (self.empty or value):
            return _mismatch(self, value, path, findings)
        return [self.of.read(item, f"{path}[{index}]", findings) for index, item in enumerate(value)]

    def schema(self) -> dict[str, Any]:
        found: dict[str, Any] = {"type": "array", "items": self.of.schema()}
        return found if self.empty else {**found, "minItems": 1}


@dataclass(frozen=True, kw_only=True)
class Anything:
    @property
    def words(self) -> str:
        return "any JSON value"

    def fits(self, value: Any) -> bool:
        return True

    def read(self, value: Any, path: str, findings: Findings) -> Any:
        return value

    def schema(self) -> dict[str, Any]:
        return {}


@dataclass(frozen=True, kw_only=True)
class AnyObject:
    @property
    def words(self) -> str:
        return "an object"

    def fits(self, value: Any) -> bool:
        return type(value) is dict

    def read(self, value: Any, path: str, findings: Findings) -> Any:
        return value if isinstance(value, dict) else _mismatch(self, value, path, findings)

    def schema(self) -> dict[str, Any]:
        return {"type": "object"}


@dataclass(frozen=True, kw_only=True)
class Field:
    """`about` is what the field is for, said to the agent; `example` is a value of its shape."""

    shape: Shape
    about: str
    example: Any
    required: bool = False


@dataclass(frozen=True, kw_only=True)
class Condition:
    """`needed` must be there when `field` is `value`."""

    field: str
    value: str
    needed: str


@dataclass(frozen=True, kw_only=True)
class Record:
    """An object with named fields. Fields that aren't named are kept and warned about."""

    called: str
    fields: Mapping[str, Field]
    conditions: tuple[Condition, ...] = ()

    @property
    def words(self) -> str:
        return f"an object ({self.called})"

    @cached_property
    def _required(self) -> tuple[str, ...]:
        return tuple(name for name, known in self.fields.items() if known.required)

    @cached_property
    def _fitting(self) -> Mapping[str, Callable[[Any], bool]]:
        return {name: known.shape.fits for name, known in self.fields.items()}

    def fits(self, value: Any) -> bool:
        if type(value) is not dict:
            return False
        fitting = self._fitting
        for name, item in value.items():
            fits = fitting.get(name)
            # An optional field that is null reads as one that isn't there.
            if fits is None or item is None or not fits(item):
                return False
        return all(map(value.__contains__, self._required)) and not any(
            value.get(condition.field) == condition.value and condition.needed not in value
            for condition in self.conditions
        )

    def read(self, value: Any, path: str, findings: Findings) -> Any:
        if not isinstance(value, dict):
            return _mismatch(self, value, path, findings)
        found: dict[str, Any] = {}
        for name, item in value.items():
            known = self.fields.get(name)
            if known is None:
                findings.odd(f"{_below(path, name)} isn't a field of {self.called}: it is kept and not used")
                found[name] = item
            # Models write null for "none".
            elif item is not None or known.required:
                found[name] = known.shape.read(item, f"{path}.{name}" if path else name, findings)
        for name in self._required:
            if name not in value:
                words = self.fields[name].shape.words
                findings.wrong(f"{_below(path, name)} is missing: give {words}")
        for condition in self.conditions:
            if found.get(condition.field) == condition.value and condition.needed not in found:
                findings.wrong(
                    f"{_below(path, condition.needed)} is missing: "
                    f'it is required when {condition.field} is "{condition.value}"'
                )
        return found

    def schema(self) -> dict[str, Any]:
        found: dict[str, Any] = {
            "type": "object",
            "properties": {
                name: {**known.shape.schema(), "description": known.about}
                for name, known in self.fields.items()
            },
            "required": list(self._required),
        }
        if self.conditions:
            found["allOf"] = [
                {
                    "if": {"properties": {c.field: {"const": c.value}}, "required": [c.field]},
                    "then": {"required": [c.needed]},
                }
                for c in self.conditions
            ]
        return found


@dataclass(frozen=True, kw_only=True)
class OneField:
    """An object that holds exactly one of some fields."""

    fields: Mapping[str, Shape]

    @property
    def words(self) -> str:
        return " or ".join(f'{{"{name}": {shape.words}}}' for name, shape in self.fields.items())

    def fits(self, value: Any) -> bool:
        if type(value) is not dict or len(value) != 1:
            return False
        ((name, item),) = value.items()
        return name in self.fields and self.fields[name].fits(item)

    def read(self, value: Any, path: str, findings: Findings) -> Any:
        known = [name for name in self.fields if isinstance(value, dict) and name in value]
        if len(known) != 1:
            return _mismatch(self, value, path, findings)
        for name in value.keys() - self.fields.keys():
            findings.odd(f"{_below(path, name)} isn't a known field: it is kept and not used")
        name = known[0]
        return {**value, name: self.fields[name].read(value[name], _below(path, name), findings)}

    def schema(self) -> dict[str, Any]:
        return {
            "type": "object",
            "oneOf": [
                {"properties": {name: shape.schema()}, "required": [name]}
                for name, shape in self.fields.items()
            ],
        }


def _below(path: str, name: str) -> str:
    # A name comes from outside: it must not make a sentence of its own.
    shown = name if name.isidentifier() and len(name) <= _LONGEST_NAME else clipped(name)
    return f"{path}.{shown}" if path else shown
