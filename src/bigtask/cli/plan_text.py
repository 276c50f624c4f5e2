"""A plan as TOML that a person edits, and back: what isn't changed in it comes back as it was."""

from __future__ import annotations

import difflib
import math
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from bigtask.cli.noted import with_notes
from bigtask.core.difference import Merged
from bigtask.core.run import Run
from bigtask.core.states import NOT_BEGUN
from bigtask.core.values import Plan, Task
from bigtask.errors import InvalidPlan
from bigtask.words import one_line, plain, short

LONGEST = 4 * 2**20
"""Bytes. A plan is shorter."""

_HEAD = """\
# The plan of run {name}: {request}
#
# Change what you like, save and close. Nothing is taken over before it was checked; to leave the plan as it
# is, close without a change, or save an empty file.
#
# Each [[task]] is one task. Its fields, of which id, title and description must be there:
#   id                a-z, 0-9, - and _, at most 48
#   title             one line
#   description       everything that the worker needs to know
#   scope             files or folders that it may change, as ["docs/api.md", "src/core/"]; empty: anywhere
#   dependencies      ids of tasks that must be completed first, as ["core"]
#   priority          1 (most urgent) to 10
#   checks            how to tell that it is done, as [{{command = ["make", "test"]}}, {{claim = "no typo"}}]
#   agent, model      only where another one than the run's should do it
#   estimatedMinutes, estimatedTokens
#
# To drop a task, delete its block: what depends on it then depends on what it depended on. To add one, write
# a block. To merge tasks, delete their blocks and write merges = ["one", "two"] into the block that takes
# their place. Of tasks that are equally urgent, the one that stands first here starts first.
"""


@dataclass(frozen=True, kw_only=True)
class Written:
    """What a text says: which revision it was made from, its tasks, and which earlier ones they merge."""

    revision: int
    tasks: tuple[Task, ...]
    merged: Merged


def text_of(run: Run, plan: Plan | None = None, *, notes: Sequence[str] = ()) -> str:
    """`plan` in place of the run's own. `notes` are shown at the top."""
    plan = plan or run.plan
    assert plan is not None
    blocks = [_block(run, task) for task in plan.tasks]
    head = _HEAD.format(name=short(run.id), request=one_line(run.created.request, 60))
    revision = (
        f"revision = {plan.revision}  # stays: it shows whether somebody else edited the plan meanwhile\n"
    )
    return with_notes("\n".join([head, revision, *blocks]), notes)


def _block(run: Run, task: Task) -> str:
    return "".join(f"{line}\n" for line in ("[[task]]", *_state(run, task.id), *_fields(task)))


def _state(run: Run, id: str) -> Iterator[str]:
    record = run.tasks.get(id)
    if record is not None and (record.state not in NOT_BEGUN or record.attempts):
        yield f"# {record.state}" + (f", {len(record.attempts)} attempts" if len(record.attempts) > 1 else "")


_ALWAYS = ("id", "title", "description", "scope", "dependencies", "priority")


def _fields(task: Task) -> Iterator[str]:
    values = msgspec.to_builtins(task)
    for field in msgspec.structs.fields(Task):
        name = field.encode_name
        if name in values or name in _ALWAYS:
            value = values.get(name, msgspec.to_builtins(getattr(task, field.name)))
            yield f"{name} = {_long(value) if name == 'description' else _value(value)}"


def _value(value: Any) -> str:
    if isinstance(value, str):
        return '"' + _escaped(value).replace("\n", "\\n").replace('"', '\\"') + '"'
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key} = {_value(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_value(each) for each in value) + "]"
    return repr(value)


def _long(text: str) -> str:
    """On lines of its own where it has several, since a description is read."""
    if "\n" not in text:
        return _value(text)
    lines = _ENDING_QUOTE.sub(r'\\"', _escaped(text))
    # Editors take blanks away from the ends of lines.
    return '"""\n' + _LAST_BLANK.sub("\\\\u0020", lines) + '"""'


_ENDING_QUOTE = re.compile(r'"(?=""|\Z)')
"""Where three would stand together, and end the text."""
_LAST_BLANK = re.compile(r" (?=\n|\Z)")


def _escaped(text: str) -> str:
    """But for newlines and quotes. What can't be seen is written out: it may be there to deceive."""
    if text.isascii() and text.isprintable():
        return text.replace("\\", "\\\\")
    return "".join(_sign(sign) for sign in text)


def _sign(sign: str) -> str:
    if sign == "\\":
        return "\\\\"
    if sign == "\n" or plain(sign) == sign != "\t":
        return sign
    return f"\\u{ord(sign):04x}" if ord(sign) < 0x10000 else f"\\U{ord(sign):08x}"


def read(text: str) -> Written:
    """Raises InvalidPlan with a sentence for everything that can't be read. What the plan is worth is for
    `plan.problems` to say."""
    try:
        whole = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InvalidPlan([f"this isn't TOML: {one_line(str(error))}"]) from None
    except RecursionError:
        raise InvalidPlan(["this isn't a plan: its brackets are nested too deeply"]) from None
    revision, blocks = whole.pop("revision", None), whole.pop("task", [])
    found = [f"{one_line(name, 60)} stands outside of every [[task]]: move it into one" for name in whole]
    if not isinstance(revision, int):
        found.append("the line `revision = …` is missing: put it back above the first [[task]]")
        revision = 0
    if not isinstance(blocks, list) or not all(isinstance(block, dict) for block in blocks):
        raise InvalidPlan([*found, "each task begins with a line [[task]], in two brackets"])
    tasks = [_read_task(block, number, found) for number, block in enumerate(blocks, 1)]
    merged = {
        task.id: tuple(ids) for task, block in zip(tasks, blocks, strict=True) if (ids := block.get("merges"))
    }
    if found:
        raise InvalidPlan(found)
    return Written(revision=revision, tasks=tuple(tasks), merged=merged)


def _read_task(block: Mapping[str, Any], number: int, found: list[str]) -> Task:
    """A stand-in where something is wrong, which `found` says."""
    id = block.get("id")
    who = f"task {one_line(id, 60)}" if isinstance(id, str) and id.strip() else f"the {_nth(number)} task"
    found += [f"{who} has no {name}" for name in ("id", "title", "description") if name not in block]
    fields: dict[str, Any] = {}
    for name, value in block.items():
        kind = _KINDS.get(name)
        if kind is None:
            near = difflib.get_close_matches(name, _KINDS, n=1)
            meant = f": is it {near[0]}?" if near else f" (there are {', '.join(_KINDS)})"
            found.append(f"{who} has a field {one_line(name, 60)}, which nobody knows{meant}")
        elif not kind.fits(value):
            found.append(f"{who}: {name} must be {kind.words}, not {one_line(repr(value), 60)}")
        elif name != "merges":
            fields[name] = value
    if fields.get("dependencies"):
        fields["dependencies"] = list(dict.fromkeys(fields["dependencies"]))
    return msgspec.convert({"id": "", "title": "", **fields}, Task)


def _nth(number: int) -> str:
    return {1: "first", 2: "second", 3: "third"}.get(number, f"{number}th")


@dataclass(frozen=True)
class _Kind:
    fits: Callable[[Any], bool]
    words: str


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _are_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(each, str) for each in value)


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**53


def _is_amount(value: Any) -> bool:
    return _is_whole(value) or (isinstance(value, float) and math.isfinite(value) and value >= 0)


def _are_merged(value: Any) -> bool:
    return _are_texts(value) and len(value) > 1 and len(set(value)) == len(value)


def _are_checks(value: Any) -> bool:
    return isinstance(value, list) and all(
        isinstance(each, dict)
        and (
            (each.keys() == {"command"} and _are_texts(each["command"]))
            or (each.keys() == {"claim"} and _is_text(each["claim"]))
        )
        for each in value
    )


_TEXT = _Kind(_is_text, "a text in quotes")
_TEXTS = _Kind(_are_texts, 'a list of texts, as ["one", "two"]')
_KINDS = {
    "id": _TEXT,
    "title": _TEXT,
    "description": _TEXT,
    "scope": _TEXTS,
    "priority": _Kind(_is_whole, "a whole number, 1 (most urgent) to 10"),
    "dependencies": _TEXTS,
    "estimatedTokens": _Kind(_is_whole, "a whole number"),
    "estimatedMinutes": _Kind(_is_amount, "a number"),
    "checks": _Kind(_are_checks, 'a list of {command = ["…"]} and {claim = "…"}'),
    "agent": _TEXT,
    "model": _TEXT,
    "merges": _Kind(_are_merged, 'a list of two or more ids, as ["one", "two"]'),
}
