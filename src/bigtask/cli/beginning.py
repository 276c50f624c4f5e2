"""How a run begins at the terminal: made anew, or found again; and what is said of it first."""

from __future__ import annotations

import os

import click
import msgspec

from bigtask.cli.frame import Frame
from bigtask.cli.reading import glance, load
from bigtask.cli.request_options import Request
from bigtask.cli.screen import note
from bigtask.cli.words import counted, one_line
from bigtask.core.events import Created
from bigtask.core.run import Run
from bigtask.core.states import TaskState
from bigtask.errors import BigtaskError
from bigtask.host import creation
from bigtask.host.home import RunFolder
from bigtask.workspaces.source import examine


async def make(frame: Frame, request: Request) -> RunFolder:
    """Raises what `creation.create` raises."""
    options = request.options
    if options.yes and options.include_changes is None:
        found = await examine(request.cwd)
        if found.dirty_count:
            options = msgspec.structs.replace(options, include_changes=False)
            changes = counted(found.dirty_count, "uncommitted change")
            note(f"going on without {changes} in {found.root} (--include-changes takes them along)")
    return await creation.create(
        frame.home,
        template_id=request.template,
        cwd=request.cwd,
        request=request.text,
        agents=frame.agents,
        templates=frame.templates(request.cwd),
        options=options,
        variables=request.variables,
        by=frame.who,
    )


async def find_again(frame: Frame, request: Request) -> tuple[RunFolder, Run] | None:
    """The newest unfinished run of the same template and request in the same folder."""
    wanted = (request.template, request.text.strip(), os.path.realpath(request.cwd))
    for folder in frame.home.folders():
        # One that can't be read is no reason not to begin another.
        run = (await glance(folder)).run
        if run is not None and run.outcome is None and _same(run.created, wanted):
            return folder, run
    return None


def _same(created: Created, wanted: tuple[str, str, str]) -> bool:
    return (created.template_id, created.request, created.source.cwd) == wanted


async def describe(frame: Frame, folder: RunFolder) -> None:
    """Which template, project and agent, whose account: on stderr, before anything is spawned."""
    run = await load(folder)
    created, settings = run.created, run.settings
    source = created.source
    where = one_line(source.cwd)
    if source.kind == "git":
        where += f" ({one_line(source.branch or 'no branch')}, {(source.head or 'no commit')[:8]})"
    click.echo(f"{click.style(created.template_id, bold=True)} in {where}", err=True)
    note(f"  agent {settings.agent}: {_agent(frame, settings.agent)}")
    note(f"  run {run.id}, up to {counted(settings.slots, 'worker')}")


def _agent(frame: Frame, name: str) -> str:
    try:
        available = frame.agents.find(name).availability()
    except BigtaskError as error:
        return str(error)
    account = available.account or "no account known"
    return f"{one_line(available.detail)}, {one_line(account)}"


def tell_going_on(run: Run, name: str) -> None:
    done = f"{run.counts[TaskState.COMPLETED]} of {len(run.tasks)} done" if run.tasks else "no plan yet"
    note(f"going on with run {name} ({done}): the same request isn't finished (--new starts afresh)")
