"""What an agent is told that resolves a conflict: both intents, both changes, what is left. Pure."""

from __future__ import annotations

from bigtask.core.run import Run, TaskRecord
from bigtask.core.values import Task
from bigtask.host.patch_excerpt import excerpt
from bigtask.workspaces.values import Begun

_MOST_PATCH = 24_000
"""Characters of each side's patch."""
_MOST_FILES = 200

_TASK = """\
This task is done, and its result can't be merged by itself: other tasks changed the same places first. Your
work now is to bring both together.

The merge is begun in your working directory. What could be merged is; this is left:
{files}

Keep what both sides wanted. Where that can't be, what came first stays, and your summary says what was given
up. No line with a conflict marker (<<<<<<<, |||||||, =======, >>>>>>>) may stay. A file that one side deleted
and the other changed is yours to keep or to delete. Change nothing else. You needn't commit; name the files
that you resolved in output_files.

What this task was to do:
{mine}

What the tasks were to do whose work came first:
{others}

What is merged by now in these files, as a patch:
{ours}

What this task has done to them:
{theirs}"""


def conflict_words(run: Run, record: TaskRecord, begun: Begun) -> str:
    files = [f"- {file.path}: {file.what}" for file in begun.files[:_MOST_FILES]]
    files += [f"- and {len(begun.files) - _MOST_FILES} more"] if len(begun.files) > _MOST_FILES else []
    others = [_intent(run.tasks[id].task) for id in begun.others if id in run.tasks]
    return _TASK.format(
        files="\n".join(files) or "- nothing: look whether the whole still makes sense",
        mine=_intent(record.task),
        others="\n\n".join(others) or "Nobody knows any more.",
        ours=excerpt(begun.ours, _MOST_PATCH),
        theirs=excerpt(begun.theirs, _MOST_PATCH),
    )


def _intent(task: Task) -> str:
    return f"{task.id}: {task.title}\n{task.description}".strip()
