"""`bigtask open`: where the files of a task are."""

from __future__ import annotations

import os
from pathlib import Path
from shlex import quote

import click

from bigtask.cli.frame import EXIT_FAILED, EXIT_OK, Frame, carry_out, json_option, print_json, run_argument
from bigtask.core.run import Run
from bigtask.errors import NotFound
from bigtask.host.home import RunFolder
from bigtask.words import plain


@click.command(
    short_help="Where a task's files are, or your editor on them.",
    epilog='Example: cd "$(bigtask open last docs-api)"',
)
@run_argument
@click.argument("task_id", metavar="[TASK]", required=False)
@click.option("-e", "--editor", is_flag=True, help="Open it in your editor (VISUAL or EDITOR).")
@json_option
@click.pass_obj
def command(frame: Frame, run_id: str, task_id: str | None, editor: bool, as_json: bool) -> int:
    """Prints the path of the workspace in which a task is being worked on; without TASK, that in which the
    work of all comes together.

    A workspace goes when its attempt has ended. The work is on a branch then, and you are told how to get at
    it. What you change in a workspace belongs to the task and is committed with it.
    """
    from bigtask.host.access import read_run

    folder = frame.find(run_id)
    run = carry_out(lambda: read_run(folder))
    path, branch = _place(run, folder, task_id)
    if path is None:
        raise NotFound(_how_to_get_at(run, folder, branch))
    if as_json:
        print_json({"id": run.id, "taskId": task_id, "path": str(path), "branch": branch or None})
        return EXIT_OK
    if not editor:
        click.echo(plain(str(path)))
        return EXIT_OK
    from bigtask.cli.editor import editor_of
    from bigtask.process.foreground import in_foreground

    program = editor_of(os.environ)
    return EXIT_FAILED if carry_out(lambda: in_foreground([*program, str(path)])) else EXIT_OK


def _place(run: Run, folder: RunFolder, task_id: str | None) -> tuple[Path | None, str]:
    """The workspace, where there is one, and its branch. Raises NotFound for what has none and never had."""
    from bigtask.workspaces import names

    if run.settings.isolation == "none":
        raise NotFound(f"the run works in the project itself: {run.created.source.cwd}")
    if task_id is None or task_id.startswith("@"):
        name, branch = names.folder(run.id, names.INTEGRATION, 1), names.integration_branch(run.id)
    else:
        record = run.record(task_id)
        if record is None:
            known = ", ".join(list(run.tasks)[:8]) or "none yet"
            raise NotFound(f"the run has no task {task_id!r} (its tasks: {known})")
        if record.attempt is None:
            raise NotFound(f"{task_id} hasn't been begun: it has no workspace yet")
        number = record.attempt.number
        name, branch = names.folder(run.id, task_id, number), names.attempt_branch(run.id, task_id, number)
    path = folder.workspaces / name / run.created.source.prefix
    return (path if path.is_dir() else None), branch


def _how_to_get_at(run: Run, folder: RunFolder, branch: str) -> str:
    shadow = folder.path / "shadow.git"
    where = f"-C {quote(run.created.source.root)}"
    if run.created.source.kind == "folder":
        where = f"--git-dir={quote(str(shadow))}"
    beside = quote(branch.replace("/", "-"))
    return (
        f"the workspace is gone, and its work is on the branch {branch}: "
        f"`git {where} worktree add ~/{beside} {branch}` gets it out again"
    )
