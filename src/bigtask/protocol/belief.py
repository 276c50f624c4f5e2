"""Which block of a finished turn is the answer to what was asked.

Files that an agent reads can hold forged blocks, and prompts hold examples, so a block counts only with the
nonce of its turn. Only assistant messages may come here: never tool results, user messages or echoes.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from bigtask.protocol.asking import no_block
from bigtask.protocol.bounded_json import clipped
from bigtask.protocol.response import Quality, Response


class Accepted(msgspec.Struct, frozen=True, kw_only=True):
    response: Response


class AskAgain(msgspec.Struct, frozen=True, kw_only=True):
    """The session is asked again with these sentences; `asking.ask_again` writes the prompt."""

    errors: tuple[str, ...]


class NeedsReview(msgspec.Struct, frozen=True, kw_only=True):
    """A person decides between `responses`: they differ, and each could be the answer."""

    reason: str
    responses: tuple[Response, ...]


Verdict = Accepted | AskAgain | NeedsReview


def accept(
    messages: Sequence[Sequence[Response]],
    *,
    nonce: str,
    phase: str,
    task_id: str | None = None,
    said: str = "",
) -> Verdict:
    """`messages` are the blocks of each assistant message of the finished turn, in order; a message without
    blocks is an empty one. `phase` is the block asked for, `task_id` the attempt's task where it has one.
    `said` is how the last message ends: it only words what is asked again.

    Only the last message counts. Saying the same twice is saying it once.
    """
    last = messages[-1] if messages else ()
    ours = [block for block in last if carries(block, nonce) and not _is_progress(block, phase)]
    problems = [_problems(block, phase, task_id) for block in ours]
    answers: list[Response] = []
    for block, wrong in zip(ours, problems, strict=True):
        if not wrong and all(block.data != other.data for other in answers):
            answers.append(block)
    if len(answers) > 1:
        return NeedsReview(
            reason=f"the last message holds {len(answers)} valid {phase} blocks that differ",
            responses=tuple(answers),
        )
    foreign = any(_names_another_task(block, task_id) for block in ours)
    # A wrong block before the answer was corrected by it; one after it takes it back.
    if answers and not problems[-1] and not foreign:
        return Accepted(response=answers[0])
    if ours:
        return AskAgain(errors=tuple(dict.fromkeys(error for wrong in problems for error in wrong)))
    return AskAgain(errors=_why_nothing(messages, nonce, phase, task_id, said))


def believed_progress(
    blocks: Sequence[Response], *, nonce: str, task_id: str | None = None
) -> tuple[Response, ...]:
    """The progress blocks among these that count, in order. They may come from any message of the turn."""
    return tuple(
        block
        for block in blocks
        if block.phase == "progress" and carries(block, nonce) and not _problems(block, "progress", task_id)
    )


def standings(blocks: Sequence[Response], *, nonce: str) -> tuple[str, ...]:
    """For each block of a last message, why it wouldn't be believed by whoever had asked for its phase; empty
    for one that would."""
    return tuple(_doubt(block, blocks, nonce) for block in blocks)


def _doubt(block: Response, blocks: Sequence[Response], nonce: str) -> str:
    if not carries(block, nonce):
        return "its nonce isn't the one that was asked for"
    if block.errors or block.phase is None:
        return "it can't be used"
    if block.phase == "progress":
        return ""
    verdict = accept([blocks], nonce=nonce, phase=block.phase)
    if isinstance(verdict, Accepted):
        return ""
    return verdict.reason if isinstance(verdict, NeedsReview) else verdict.errors[0]


def carries(block: Response, nonce: str) -> bool:
    """Whether the block has the nonce, or can't be read and has it somewhere: what took the turn's secret up
    is no forgery, and a correction that was cut takes back what it was to correct."""
    if not nonce or block.quality is Quality.HEURISTIC:
        return False
    return block.nonce == nonce or (block.phase is None and block.nonce is None and nonce in block.raw)


def _is_progress(block: Response, phase: str) -> bool:
    return block.phase == "progress" and phase != "progress"


def _names_another_task(block: Response, task_id: str | None) -> bool:
    return task_id is not None and "task_id" in block.data and block.data["task_id"] != task_id


def _problems(block: Response, phase: str, task_id: str | None) -> tuple[str, ...]:
    problems = list(block.errors)
    if block.phase is not None and block.phase != phase:
        problems.insert(0, f'phase must be "{phase}" here, not "{block.phase}"')
    if _names_another_task(block, task_id):
        problems.append(
            f"task_id must be {clipped(task_id)}, the task that you were given, "
            f"not {clipped(block.data['task_id'])}"
        )
    return tuple(problems)


def _why_nothing(
    messages: Sequence[Sequence[Response]], nonce: str, phase: str, task_id: str | None, said: str
) -> tuple[str, ...]:
    for message in messages[:-1]:
        if any(carries(block, nonce) and not _problems(block, phase, task_id) for block in message):
            return (
                f"the {phase} block must be in your last message: send it again as the last thing you say",
            )
    found: dict[str, None] = {}
    for block in messages[-1] if messages else ():
        if _is_progress(block, phase):
            continue
        if block.errors:
            found.update(dict.fromkeys(block.errors))
        if block.phase is not None:
            found["the nonce of the block isn't the one at the end of the prompt: copy that one"] = None
    return tuple(found) or (no_block(phase, said),)
