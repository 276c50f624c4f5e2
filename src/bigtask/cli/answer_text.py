"""An answer that a person writes in an agent's place: as a text to edit, and back."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from bigtask.cli.noted import with_notes
from bigtask.core.run import Run
from bigtask.core.values import Waiting
from bigtask.errors import InvalidAnswer, InvalidInput, InvalidPlan
from bigtask.host.handwritten import block_of
from bigtask.protocol.fields import field_lines, schema
from bigtask.protocol.parser import ResponseParser
from bigtask.templates.reading import Unreadable, parse_any
from bigtask.templates.template import thaw
from bigtask.words import one_line, plain, short

LONGEST = 4 * 2**20
"""Bytes. An answer is shorter."""

_MESSAGE_LINES = 200
_GIVEN = "task_id"
"""A worker's id follows from what was asked."""

_HEAD = """\
What {task} of run {name} should have answered, in its agent's place: {request}

Lines that begin with # don't count. The rest is the answer, one JSON object. Save and close to give it: it is
checked first. To leave the question open, close without a change, or save an empty file.

The fields of {article} {block}:
{fields}
"""


def text_of(run: Run, waiting: Waiting, task_id: str) -> str:
    """The text that a person edits: at the top what was wrong, then the fields, the end of what the agent
    said, and what could be read of its answer. Fields that it lacks are null."""
    block = block_of(task_id)
    said = str(waiting.details.get("answer", ""))
    head = _HEAD.format(
        task=task_id,
        name=short(run.id),
        request=one_line(run.created.request, 60),
        article="an" if block[0] in "aeiou" else "a",
        block=block,
        fields="\n".join(line for line in field_lines(block) if not line.startswith(f"- {_GIVEN} ")),
    )
    lines = [*head.splitlines(), "", *_message(said), ""]
    begun = json.dumps(_begun(run, block, said), indent=2, ensure_ascii=False)
    text = "".join(f"# {line}".rstrip() + "\n" for line in lines) + begun + "\n"
    return with_notes(text, [str(error) for error in waiting.details.get("errors", ())])


def _message(said: str) -> list[str]:
    lines = plain(said).strip().splitlines()
    if not lines:
        return ["The agent said nothing."]
    shown = lines[-_MESSAGE_LINES:]
    return ["The end of what the agent said:", *(f"  {line}" for line in shown)]


def _begun(run: Run, block: str, said: str) -> dict[str, Any]:
    delimiters = thaw(run.created.template).prompts.response_format
    found = ResponseParser(delimiters.start_delimiter, delimiters.end_delimiter).parse_all(said)
    read: Mapping[str, Any] = next((one.data for one in reversed(found) if one.phase == block), {})
    needed = [name for name in schema(block)["required"] if name != _GIVEN]
    return {**dict.fromkeys(needed), **read}


def read(text: str) -> dict[str, Any] | None:
    """None for a text without an answer. Raises InvalidInput with the place and the slip.

    No line of JSON can begin with #: a text in it has its line breaks as \\n.
    """
    lines = ["" if line.lstrip().startswith("#") else line for line in text.split("\n")]
    if not any(line.strip() for line in lines):
        return None
    try:
        # With their places as they are in the editor.
        found = parse_any("\n".join(lines).encode())
    except Unreadable as unreadable:
        raise InvalidInput(str(unreadable)) from None
    if not isinstance(found, dict):
        raise InvalidInput(f"the answer must be one JSON object in {{ }}, not {one_line(str(found), 60)}")
    return found


def problems_of(error: InvalidInput) -> Sequence[str]:
    """One sentence each, where the error has several."""
    return error.problems if isinstance(error, InvalidAnswer | InvalidPlan) else [str(error)]
