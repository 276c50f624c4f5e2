"""What a person writes in an agent's place: read, and checked as the agent's answer would be."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from bigtask.core.run import Run
from bigtask.core.states import Phase
from bigtask.core.values import RESERVED
from bigtask.errors import InvalidInput, NotFound
from bigtask.host.briefing import problems
from bigtask.protocol.fields import ANSWERS, read_fields
from bigtask.templates.template import thaw

_LONGEST_DATA = 4 * 2**20


def read_data(name: str) -> Mapping[str, Any]:
    """From a file, or from standard input for `-`. Raises InvalidInput."""
    try:
        if name == "-":
            content = sys.stdin.buffer.read(_LONGEST_DATA + 1)
        else:
            with Path(name).open("rb") as file:
                content = file.read(_LONGEST_DATA + 1)
    except OSError as error:
        raise InvalidInput(f"{name} can't be read: {error.strerror}") from None
    if len(content) > _LONGEST_DATA:
        raise InvalidInput(f"{name} is longer than {_LONGEST_DATA:,} bytes: an answer is shorter")
    try:
        return msgspec.json.decode(content, type=dict[str, Any])
    except (msgspec.DecodeError, RecursionError) as error:
        raise InvalidInput(f"{name} isn't a JSON object: {error}") from None


def usable(run: Run, waiting_id: str, answer: str, given: Mapping[str, Any]) -> Mapping[str, Any]:
    """The data as the protocol reads it. Raises InvalidInput with everything that is wrong with it."""
    waiting = run.waiting.get(waiting_id)
    if waiting is None:
        open_ones = ", ".join(run.waiting) or "nothing"
        raise NotFound(f"nothing called {waiting_id!r} waits for an answer (waiting: {open_ones})")
    if answer != "edit" or "edit" not in waiting.options or waiting.task_id is None:
        raise InvalidInput("--data goes with the answer `edit`, where that is possible: leave it out")
    block = ANSWERS[RESERVED.get(waiting.task_id, Phase.WORKER_EXECUTION)]
    whole = {"task_id": waiting.task_id, **given} if block == "completion" else given
    reading = read_fields(block, dict(whole))
    wrong = reading.errors
    if block == "completion" and not wrong and reading.data["task_id"] != waiting.task_id:
        wrong = (f"task_id must be {waiting.task_id}",)
    wrong = wrong or problems(run, thaw(run.created.template), waiting.task_id, reading.data)
    if wrong:
        raise InvalidInput(f"the data can't be what the agent answers ({block}): {'; '.join(wrong)}")
    return reading.data
