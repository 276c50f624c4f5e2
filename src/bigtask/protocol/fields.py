"""What the block of each phase holds: one table that checks answers, explains them and gives JSON Schema.

A prompt can't drift from the parser, since both are read from `BLOCKS`. Nested objects say more than the
table of required fields: a task names itself, an issue says how bad and what it is.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Any

import msgspec

from bigtask.errors import InvalidInput
from bigtask.protocol.delimiters import check_delimiters
from bigtask.protocol.shapes import (
    AnyObject,
    Anything,
    Choice,
    Condition,
    Field,
    Findings,
    Listing,
    Number,
    OneField,
    Record,
    Words,
)

_TEXT = Words()
_NAMED = Words(blank=False)
_TEXTS = Listing(of=_TEXT, called="texts")
_COUNT = Number()
_STATUS_SEEN = ("in_progress", "blocked", "retrying")
_SAME_AS_IN_PROGRESS = MappingProxyType({"working": "in_progress", "processing": "in_progress"})

_CHECK = OneField(
    fields=MappingProxyType(
        {"command": Listing(of=_TEXT, called="arguments", empty=False), "claim": _NAMED},
    )
)

_TASK = Record(
    called="a task",
    fields=MappingProxyType(
        {
            "id": Field(
                shape=_NAMED,
                about="short and unique: lower-case letters, digits, - and _, at most 48",
                example="core-api",
                required=True,
            ),
            "title": Field(shape=_NAMED, about="one line", example="Document the core API", required=True),
            "description": Field(
                shape=_NAMED,
                about="everything the worker needs to know: it sees neither this session nor the other tasks",
                example="Write docs/core.md: every public class of src/core.py with one example each.",
                required=True,
            ),
            "scope": Field(
                shape=_TEXTS,
                about="files or directories that the task may change, relative to the project",
                example=["docs/core.md"],
            ),
            "priority": Field(shape=Number(low=1, high=10), about="1 is the most urgent", example=1),
            "dependencies": Field(
                shape=Listing(of=_NAMED, called="task ids"),
                about="ids of tasks that must be completed first",
                example=[],
            ),
            "estimated_tokens": Field(shape=_COUNT, about="tokens that the task will use", example=20000),
            "estimated_minutes": Field(
                shape=Number(whole=False), about="minutes that the task will take", example=5
            ),
            "checks": Field(
                shape=Listing(of=_CHECK, called="checks"),
                about="how to tell that it is done: a command that must exit with 0, or a claim to be judged",
                example=[
                    {"command": ["python", "-m", "pytest", "-q"]},
                    {"claim": "every class has an example"},
                ],
            ),
            "agent": Field(shape=_NAMED, about="only if another agent should do it", example="claude"),
            "model": Field(shape=_NAMED, about="only if another model should do it", example="small"),
        }
    ),
)

_CONFLICT = Record(
    called="a conflict",
    fields=MappingProxyType(
        {
            "type": Field(shape=_TEXT, about="its kind, in a word", example="contradiction"),
            "description": Field(
                shape=_NAMED, about="what contradicts what", example="two pages name it", required=True
            ),
            "files": Field(shape=_TEXTS, about="files concerned", example=["docs/core.md"]),
            "tasks": Field(shape=_TEXTS, about="ids of the tasks concerned", example=["core-api"]),
            "resolution": Field(shape=_TEXT, about="what you did about it", example="kept the newer name"),
            "options": Field(
                shape=Listing(of=Anything(), called="choices"),
                about="what the person can choose from",
                example=["keep both"],
            ),
        }
    ),
)

_ISSUE = Record(
    called="an issue",
    fields=MappingProxyType(
        {
            "severity": Field(
                shape=Choice(options=("error", "warning", "info")),
                about="how bad it is",
                example="warning",
                required=True,
            ),
            "description": Field(
                shape=_NAMED, about="what is wrong", example="one example doesn't run", required=True
            ),
            "location": Field(shape=_TEXT, about="file and line", example="docs/core.md:12"),
            "suggested_fix": Field(shape=_TEXT, about="what would put it right", example="import json first"),
        }
    ),
)

_CLAIM = Record(
    called="a claim",
    fields=MappingProxyType(
        {
            "id": Field(
                shape=_NAMED,
                about="the id of the claim, exactly as it was given to you",
                example="core-api.1",
                required=True,
            ),
            "verdict": Field(
                shape=Choice(options=("holds", "fails", "unclear")),
                about="whether the result is as the claim says",
                example="holds",
                required=True,
            ),
            "evidence": Field(
                shape=_TEXT,
                about="where that is seen: file and line, or a command and what it printed",
                example="docs/core.md:12",
            ),
        }
    ),
)

_TASK_ID = Field(
    shape=_NAMED,
    about="the id of your task, exactly as it was given to you",
    example="core-api",
    required=True,
)
_OUTPUT_FILES = Field(shape=_TEXTS, about="files written, relative to the project", example=["docs/core.md"])
_WARNINGS = Field(shape=_TEXTS, about="what the reader should know", example=["the tests were not run"])


def _summary(example: str, *, required: bool = False) -> Field:
    return Field(
        shape=Words(blank=not required),
        about="what came out, in a few sentences",
        example=example,
        required=required,
    )


BLOCKS: Mapping[str, Record] = MappingProxyType(
    {
        "analysis": Record(
            called="an analysis",
            fields=MappingProxyType(
                {
                    "summary": _summary("A library of 12 modules in three groups.", required=True),
                    "recommended_splits": Field(
                        shape=Number(low=1),
                        about="how many tasks to split the work into",
                        example=5,
                        required=True,
                    ),
                    "key_files": Field(
                        shape=_TEXTS, about="files that everybody should know", example=["src/core.py"]
                    ),
                    "estimated_complexity": Field(
                        shape=Choice(options=("low", "medium", "high")),
                        about="of the whole",
                        example="medium",
                    ),
                    "components": Field(
                        shape=Listing(of=AnyObject(), called="objects"),
                        about="the parts of the project, as you see them",
                        example=[{"name": "core", "files": ["src/core.py"]}],
                    ),
                    "notes": Field(
                        shape=_TEXT, about="anything else for the planner", example="the tests are slow"
                    ),
                    "warnings": _WARNINGS,
                }
            ),
        ),
        "task_list": Record(
            called="a task list",
            fields=MappingProxyType(
                {
                    "tasks": Field(
                        shape=Listing(of=_TASK, called="tasks", empty=False),
                        about="the tasks",
                        example=[
                            {
                                "id": "core-api",
                                "title": "Document the core API",
                                "description": "Write docs/core.md: every public class of src/core.py.",
                                "scope": ["docs/core.md"],
                                "priority": 1,
                                "dependencies": [],
                                "checks": [{"claim": "every public class has an example"}],
                            },
                            {
                                "id": "index",
                                "title": "Write the index",
                                "description": "Write docs/index.md with a link to every page.",
                                "scope": ["docs/index.md"],
                                "priority": 5,
                                "dependencies": ["core-api"],
                            },
                        ],
                        required=True,
                    ),
                    "total_tasks": Field(shape=_COUNT, about="how many tasks there are", example=2),
                    "parallelizable_groups": Field(
                        shape=Anything(),
                        about="advice: which tasks go together",
                        example=[["core-api"], ["index"]],
                    ),
                    "execution_order": Field(
                        shape=Anything(),
                        about="advice: the order comes from the dependencies",
                        example=["core-api", "index"],
                    ),
                }
            ),
        ),
        "progress": Record(
            called="a progress report",
            fields=MappingProxyType(
                {
                    "task_id": _TASK_ID,
                    "status": Field(
                        shape=Choice(options=_STATUS_SEEN, aliases=_SAME_AS_IN_PROGRESS),
                        about="how it goes",
                        example="in_progress",
                        required=True,
                    ),
                    "progress_percent": Field(
                        shape=Number(high=100, whole=False), about="how much is done", example=40
                    ),
                    "current_action": Field(
                        shape=_TEXT, about="what you are doing", example="reading src/core.py"
                    ),
                    "files_processed": Field(shape=_COUNT, about="files done", example=2),
                    "files_total": Field(shape=_COUNT, about="files in all", example=5),
                    "output_preview": Field(shape=_TEXT, about="a few lines of the result", example="# Core"),
                }
            ),
        ),
        "completion": Record(
            called="a completion",
            fields=MappingProxyType(
                {
                    "task_id": _TASK_ID,
                    "status": Field(
                        shape=Choice(options=("success", "partial", "failed", "timeout")),
                        about="what became of the task; success only if all of it is done",
                        example="success",
                        required=True,
                    ),
                    "summary": _summary("Wrote docs/core.md with one example for each class."),
                    "output_files": _OUTPUT_FILES,
                    "output": Field(
                        shape=Anything(),
                        about="a result that isn't a file",
                        example="three classes documented",
                    ),
                    "error": Field(
                        shape=_NAMED,
                        about="what went wrong; required when status is failed",
                        example="no access",
                    ),
                    "warnings": _WARNINGS,
                    "metrics": Field(
                        shape=AnyObject(), about="numbers worth keeping", example={"classes": 3}
                    ),
                }
            ),
            conditions=(Condition(field="status", value="failed", needed="error"),),
        ),
        "aggregation": Record(
            called="an aggregation",
            fields=MappingProxyType(
                {
                    "status": Field(
                        shape=Choice(options=("success", "needs_input", "failed")),
                        about="needs_input when the person must decide a conflict",
                        example="success",
                        required=True,
                    ),
                    "summary": _summary("All pages agree with each other."),
                    "conflicts": Field(
                        shape=Listing(of=_CONFLICT, called="conflicts"),
                        about="results that contradict each other",
                        example=[],
                    ),
                    "merged_output": Field(
                        shape=Anything(),
                        about="the result, where it isn't files",
                        example="documented: core, index",
                    ),
                    "output_files": _OUTPUT_FILES,
                }
            ),
        ),
        "verification": Record(
            called="a verification",
            fields=MappingProxyType(
                {
                    "status": Field(
                        shape=Choice(options=("passed", "passed_with_warnings", "failed")),
                        about="your verdict on the result against the request",
                        example="passed_with_warnings",
                        required=True,
                    ),
                    "summary": _summary("Everything asked for is there; one example doesn't run."),
                    "issues": Field(
                        shape=Listing(of=_ISSUE, called="issues"),
                        about="what is wrong",
                        example=[
                            {
                                "severity": "warning",
                                "description": "one example doesn't run",
                                "location": "docs/core.md:12",
                            }
                        ],
                    ),
                    "claims": Field(
                        shape=Listing(of=_CLAIM, called="claims"),
                        about="your verdict on each claim that you were given to judge, one by one",
                        example=[{"id": "core-api.1", "verdict": "holds", "evidence": "docs/core.md:12"}],
                    ),
                    "auto_fixed": Field(
                        shape=_TEXTS, about="what you put right yourself", example=["a dead link"]
                    ),
                }
            ),
        ),
    }
)

ANSWERS: Mapping[str, str] = MappingProxyType(
    {
        "analysis": "analysis",
        "taskPlanning": "task_list",
        "workerExecution": "completion",
        "aggregation": "aggregation",
        "verification": "verification",
    }
)
"""The block that ends a turn of each phase of a run. A worker may also send `progress` blocks."""

_NOT_IN_EXAMPLES = frozenset(
    {
        "error",
        "execution_order",
        "merged_output",
        "metrics",
        "output",
        "output_preview",
        "parallelizable_groups",
        "total_tasks",
        "warnings",
    }
)
"""Fields that a good answer mostly doesn't have: an example with them would make models fill them in."""


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """`data` with the words read as what they mean; it is usable when `errors` is empty."""

    data: Mapping[str, Any]
    errors: tuple[str, ...]
    warnings: tuple[str, ...]


def read_fields(phase: str, data: Any) -> Reading:
    """`phase` is a key of `BLOCKS`; raises `InvalidInput` for another one. `data` may be anything."""
    if _block(phase).fits(data):
        return Reading(data=data, errors=(), warnings=())
    findings = Findings()
    found = _block(phase).read(data, "", findings) if isinstance(data, dict) else {}
    if not isinstance(data, dict):
        findings.wrong("data must be an object with the fields of the phase")
    return Reading(data=found, errors=findings.errors, warnings=findings.warnings)


@lru_cache
def schema(phase: str) -> Mapping[str, Any]:
    """JSON Schema (draft 2020-12) of a block's `data`. Raises `InvalidInput` for an unknown phase."""
    return _block(phase).schema()


def example(phase: str) -> dict[str, Any]:
    """A valid `data` that shows the fields most answers have."""
    fields = _block(phase).fields
    return {name: known.example for name, known in fields.items() if name not in _NOT_IN_EXAMPLES}


def response_format(phase: str, start_delimiter: str, end_delimiter: str) -> str:
    """The text that explains to an agent how to answer: the value of `{RESPONSE_FORMAT}`.

    `phase` is a key of `BLOCKS`; a worker's `completion` also explains `progress`. The nonce isn't in it:
    `asking.with_nonce` says it at the end of the prompt. Raises `InvalidInput` for an unknown phase or
    unusable delimiters.
    """
    check_delimiters(start_delimiter, end_delimiter)
    never = f"Never write {_apart(start_delimiter)} or {_apart(end_delimiter)} (without the space) elsewhere."
    parts = [
        "End your last message with exactly one block of this form. The program reads nothing else you say.",
        _block_text(phase, start_delimiter, end_delimiter),
        "Fields of data:",
        "\n".join(field_lines(phase)),
        f"The block is standard JSON: double quotes, no comments, no trailing commas, no code fence. {never}",
    ]
    if phase == "completion":
        parts += [
            "While you work you may say how it goes, in any message, with a block like this:",
            _block_text("progress", start_delimiter, end_delimiter),
            "\n".join(field_lines("progress")),
        ]
    return "\n\n".join(parts)


def field_lines(phase: str) -> tuple[str, ...]:
    """Each field of a block's `data` in a line, those of what it lists indented below it. Raises
    `InvalidInput` for an unknown phase."""
    return tuple(_lines(_block(phase), ""))


def _block(phase: str) -> Record:
    try:
        return BLOCKS[phase]
    except KeyError:
        raise InvalidInput(f"there is no phase {phase!r}: it is one of {', '.join(BLOCKS)}") from None


def _block_text(phase: str, start_delimiter: str, end_delimiter: str) -> str:
    block = {"phase": phase, "data": example(phase), "nonce": "the nonce from the end of this prompt"}
    return f"{start_delimiter}\n{json.dumps(block, indent=2, ensure_ascii=False)}\n{end_delimiter}"


def _apart(delimiter: str) -> str:
    return f"{delimiter[0]} {delimiter[1:]}"


def _lines(record: Record, indent: str) -> list[str]:
    lines: list[str] = []
    for name, known in record.fields.items():
        must = "required" if known.required else "optional"
        lines.append(
            f"{indent}- {name} ({must}): {known.shape.words}. {known.about[:1].upper()}{known.about[1:]}."
        )
        if isinstance(known.shape, Listing) and isinstance(known.shape.of, Record):
            lines += _lines(known.shape.of, indent + "  ")
        elif isinstance(known.shape, Listing) and isinstance(known.shape.of, OneField):
            lines.append(f"{indent}  - each is {known.shape.of.words}")
    return lines
