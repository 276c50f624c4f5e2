"""What the tasks' work came to, in words for the phases that judge it. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence

from bigtask.core import claims
from bigtask.core.checks import wanted_by
from bigtask.core.ledger import remarks
from bigtask.core.run import Run, TaskRecord
from bigtask.core.values import CheckResult
from bigtask.host.patch_excerpt import excerpt
from bigtask.workspaces.values import ResultDiff

_MOST_FILES = 400
_MOST_TASKS = 200
_MOST_PATCH = 60_000
"""Characters: of what a session reads at once, some 15,000 tokens."""
_SHOWN_LINES = 20
_SHOWN = 4_000
_SAID = 500


def merged_words(run: Run, result: ResultDiff) -> str:
    """For the one who looks over the whole: facts about each task, every file, and how to see the change."""
    return _joined(_tasks(run), _files(result), _how_to_see(result))


def words_for_verdict(
    run: Run, checks: Sequence[CheckResult], result: ResultDiff | None = None, patch: str = ""
) -> str:
    """For the one who judges it: bigtask's own checks first, what has to be judged, and the change itself,
    of a long one the beginning of each file. `patch` is what git shows for `result`; a run that works in the
    project itself has neither."""
    first = (_checks(run, checks), _tasks(run), _claims(run))
    if result is None:
        return _joined(*first)
    shown = excerpt(patch, _MOST_PATCH)
    part = " (of long files the beginning)" if len(shown) < len(patch) else ""
    return _joined(*first, _files(result), [f"The change itself{part}:", shown, *_how_to_see(result)])


def _joined(*sections: Sequence[str] | Iterator[str]) -> str:
    return "\n\n".join(text for lines in sections if (text := "\n".join(lines)))


def _checks(run: Run, checks: Sequence[CheckResult]) -> Iterator[str]:
    if not checks:
        yield "No command was run on the merged whole."
        return
    yield "Commands that bigtask ran itself on the merged whole:"
    for check in checks:
        whose = ", ".join(wanted_by(run, check.command))
        yield f"- `{shlex.join(check.command)}` (of {whose}): {_how_it_ended(check)}"
        if not check.passed:
            last = check.output[-_SHOWN:].strip().splitlines()[-_SHOWN_LINES:]
            yield from (f"    {line}" for line in last)


def _how_it_ended(check: CheckResult) -> str:
    if check.exit_status is None:
        return "failed: it didn't end in time"
    return "passed" if check.passed else f"failed: it ended with {check.exit_status}"


def _tasks(run: Run) -> Iterator[str]:
    records = list(run.tasks.values())
    if records:
        yield "What each task says of itself, and what its commit shows:"
    for record in records[:_MOST_TASKS]:
        yield from _task(record)
    if len(records) > _MOST_TASKS:
        yield f"and {len(records) - _MOST_TASKS} tasks more"


def _task(record: TaskRecord) -> Iterator[str]:
    attempt = record.attempt
    said = attempt.report.summary if attempt is not None and attempt.report is not None else record.reason
    yield f"- {record.task.id} ({record.state}): {' '.join(said.split())[:_SAID] or 'it says nothing'}"
    evidence = attempt.evidence if attempt is not None else None
    if evidence is not None:
        files = f"{len(evidence.files)} changed, +{evidence.insertions} -{evidence.deletions}"
        yield f"    files: {files}"
    yield from (f"    {remark}" for remark in remarks(record))


def _claims(run: Run) -> Iterator[str]:
    asked = claims.asked(run)
    if asked:
        yield (
            "Claims to judge one by one. Look at the result, not at what was said of it, and answer each in "
            "`claims` with its id, whether it holds, fails or is unclear, and where that is seen:"
        )
    yield from (f"- {claim.id}: {claim.claim}" for claim in asked)


def _files(result: ResultDiff) -> Iterator[str]:
    yield f"Files that the whole changed, {len(result.files)}:"
    for file in result.files[:_MOST_FILES]:
        yield f"{file.status} {file.path} +{file.insertions} -{file.deletions}"
    if len(result.files) > _MOST_FILES:
        yield f"and {len(result.files) - _MOST_FILES} files more"


def _how_to_see(result: ResultDiff) -> list[str]:
    whole = f"`git diff {result.base} {result.head}` shows the whole change in the directory that you are in"
    return [f"{whole}, also of one file (`-- PATH`)."]
