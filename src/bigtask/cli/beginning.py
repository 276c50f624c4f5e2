"""How a run begins at the terminal: made anew, or found again; and what is said of it first."""

from __future__ import annotations

import os
from pathlib import Path

import click
import msgspec

from bigtask.approvals import Approvals
from bigtask.cli import approving
from bigtask.cli.frame import Frame
from bigtask.cli.mode_words import may
from bigtask.cli.reading import glance, load
from bigtask.cli.request_options import Request
from bigtask.cli.screen import hung, note
from bigtask.cli.template import consenting
from bigtask.configuration.files import ConfigurationNotApproved
from bigtask.core.events import Created
from bigtask.core.fallback import at_work_for
from bigtask.core.phases.trust import summary
from bigtask.core.run import Run
from bigtask.core.states import TaskState
from bigtask.core.values import Settings
from bigtask.errors import BigtaskError
from bigtask.host import creation
from bigtask.host.home import RunFolder
from bigtask.host.trust import Standing, State, standing
from bigtask.process import capabilities
from bigtask.sink import without_secrets
from bigtask.templates.consent import TemplateNotApproved
from bigtask.words import counted, one_line, size
from bigtask.workspaces.settings import SettingsNotApproved
from bigtask.workspaces.source import Source, examine

_RULES_SHOWN = 400


async def make(frame: Frame, request: Request) -> RunFolder:
    """Raises what `creation.create` raises; on a terminal a person can approve what isn't approved yet."""
    options = request.options
    approvals = Approvals(frame.home.approvals)
    asks = approving.can_ask() and not options.ci
    if (options.yes or options.ci) and options.include_changes is None:
        found = await _examined(request.cwd, approvals, asks=asks)
        if found.dirty_count:
            options = msgspec.structs.replace(options, include_changes=False)
            changes = counted(found.dirty_count, "uncommitted change")
            note(f"going on without {changes} in {found.root} (--include-changes takes them along)")
    while True:
        try:
            made = await creation.create(
                frame.home,
                template_id=request.template,
                cwd=request.cwd,
                request=request.text,
                agents=frame.agents,
                templates=frame.templates(request.cwd),
                options=options,
                variables=request.variables,
                environ=os.environ,
                by=frame.who,
            )
            await _clean_now_and_then(frame)
            return made
        except (ConfigurationNotApproved, SettingsNotApproved) as unapproved:
            if not asks or not approving.asked(unapproved):
                raise
            approving.approve(approvals, unapproved)
        except TemplateNotApproved as unapproved:
            templates = frame.templates(request.cwd)
            if not asks or not consenting.asked(templates, unapproved.consent):
                raise
            templates.approve(unapproved.consent)


async def _examined(cwd: Path, approvals: Approvals, *, asks: bool) -> Source:
    try:
        return await examine(cwd, approvals.allow_git)
    except SettingsNotApproved as unapproved:
        if not asks or not approving.asked(unapproved):
            raise
        approving.approve(approvals, unapproved)
    return await examine(cwd, approvals.allow_git)


async def _clean_now_and_then(frame: Frame) -> None:
    from bigtask.host.cleaning import now_and_then

    gone = await now_and_then(frame.home, frame.agents, os.environ)
    if gone:
        freed = size(sum(removal.used for removal in gone))
        note(
            f"cleaned up after {counted(len({one.id for one in gone}), 'ended run')}: {freed} (bigtask clean)"
        )


async def find_again(frame: Frame, request: Request) -> tuple[RunFolder, Run] | None:
    """The newest unfinished run of the same template and request in the same folder."""
    wanted = (request.template, without_secrets(request.text.strip()), os.path.realpath(request.cwd))
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
        commit = source.head[:8] if source.head else "no commit yet"
        where += f" ({one_line(source.branch or 'no branch')}, {commit})"
    click.echo(f"{click.style(created.template_id, bold=True)} in {where}", err=True)
    for name, of in (
        (settings.agent, ""),
        *((name, f" for {phase}") for phase, name in settings.agent_for.items()),
    ):
        note(hung(f"  agent {name}{of}: {_agent(frame, name)}"))
        if name in run.replaced:
            instead = at_work_for(run, name)
            note(hung(f"    instead {instead} does the work: {_agent(frame, instead)}"))
    for line in await _rules_lines(frame, run):
        note(hung(f"  {line}"))
    if settings.costs_money:
        note(f"  agents may: {may(settings.permission_mode, asked=not settings.ci)}")
        note(hung(f"  processes: {capabilities().sentences()[0]}"))
    note(f"  run {run.id}, up to {counted(settings.slots, 'worker')}")


async def _rules_lines(frame: Frame, run: Run) -> list[str]:
    """What the repository would have the agent load or run, and whether it will."""
    source, settings = run.created.source, run.settings
    try:
        approvals = Approvals(frame.home.approvals)
        found = await examine(Path(source.cwd), approvals.allow_git)
        commit = settings.base and found.git_dir and await found.git.commit(settings.base)
        agent = frame.agents.find(at_work_for(run, settings.agent))
        seen = await standing(agent, found, approvals, commit=commit or None)
    except BigtaskError as error:
        return [f"what the repository brings for {settings.agent} can't be told: {one_line(str(error))}"]
    if seen is None:
        return []
    if not seen.brought:
        return [f"project rules: the repository brings nothing for {seen.agent}"]
    return [
        f"project rules: {one_line(summary(seen.brought), _RULES_SHOWN)}",
        f"  {outlook(seen, settings)}",
    ]


def outlook(seen: Standing, settings: Settings) -> str:
    """Whether they will be loaded."""
    if settings.project_rules is False:
        return "not loaded (--without-project-rules)"
    if seen.state is State.APPROVED:
        return "approved as they are now: loaded"
    if seen.state is State.UNAPPROVABLE:
        return "not loaded: a link leads out of the project, or a file is too long to be looked at"
    if settings.project_rules:
        return "approved by --project-rules: loaded"
    if settings.yes:
        return "not approved, so not loaded (`bigtask approve` or --project-rules allow them)"
    return "not approved: you are asked before the first session"


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
