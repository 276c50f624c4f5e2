"""How a run begins at the terminal: made anew, or found again; and what is said of it first."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
import msgspec

from bigtask.cli.frame import Frame
from bigtask.cli.plain_text import counted, one_line
from bigtask.core.events import Created
from bigtask.core.evolve import fold
from bigtask.core.run import Run
from bigtask.core.states import TaskState
from bigtask.errors import BigtaskError, StoreError
from bigtask.host import access, creation
from bigtask.host.creation import Options
from bigtask.host.home import RunFolder
from bigtask.workspaces.source import examine


async def make(
    frame: Frame, *, template: str, request: str, cwd: Path, options: Options, variables: Mapping[str, Any]
) -> RunFolder:
    """Raises what `creation.create` raises."""
    if options.yes and options.include_changes is None:
        found = await examine(cwd)
        if found.dirty_count:
            options = msgspec.structs.replace(options, include_changes=False)
            changes = counted(found.dirty_count, "uncommitted change")
            tell(f"going on without {changes} in {found.root} (--include-changes takes them along)")
    return await creation.create(
        frame.home,
        template_id=template,
        cwd=cwd,
        request=request,
        agents=frame.agents,
        templates=frame.templates(cwd),
        options=options,
        variables=variables,
        by=frame.who,
    )


async def find_again(frame: Frame, *, template: str, request: str, cwd: Path) -> tuple[RunFolder, Run] | None:
    """The newest unfinished run of the same template and request in the same folder."""
    wanted = (template, request.strip(), os.path.realpath(cwd))
    for folder in frame.home.folders():
        try:
            run = fold(folder.id, await access.read(folder))
        except StoreError:
            # A broken log of another run is no reason not to begin this one.
            continue
        if run.outcome is None and _same(run.created, wanted):
            return folder, run
    return None


def _same(created: Created, wanted: tuple[str, str, str]) -> bool:
    return (created.template_id, created.request, created.source.cwd) == wanted


async def describe(frame: Frame, folder: RunFolder) -> None:
    """Which template, project and agent, whose account: on stderr, before anything is spawned."""
    run = fold(folder.id, await access.read(folder))
    created, settings = run.created, run.settings
    source = created.source
    where = one_line(source.cwd)
    if source.kind == "git":
        where += f" ({one_line(source.branch or 'no branch')}, {(source.head or 'no commit')[:8]})"
    tell(f"{click.style(created.template_id, bold=True)} in {where}")
    tell(f"  agent {settings.agent}: {_agent(frame, settings.agent)}")
    tell(f"  run {run.id}, up to {counted(settings.slots, 'worker')}")


def _agent(frame: Frame, name: str) -> str:
    try:
        available = frame.agents.find(name).availability()
    except BigtaskError as error:
        return str(error)
    account = available.account or "no account known"
    return f"{one_line(available.detail)}, {one_line(account)}"


def tell_going_on(run: Run, name: str) -> None:
    done = f"{run.counts[TaskState.COMPLETED]} of {len(run.tasks)} done" if run.tasks else "no plan yet"
    tell(f"going on with run {name} ({done}): the same request isn't finished (--new starts afresh)")


def tell(words: str) -> None:
    click.echo(words, err=True)
