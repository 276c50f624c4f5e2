"""Making a run: everything that it depends on is looked up now and kept with it."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from bigtask.agents.table import AgentTable
from bigtask.core.events import Created, Event
from bigtask.core.states import Phase
from bigtask.core.values import PhaseSettings, Settings, Source, Value
from bigtask.errors import AgentUnavailable, InvalidInput
from bigtask.host.holder import steady_clock
from bigtask.host.home import Home, RunFolder, new_run_id
from bigtask.host.log import SqliteLog
from bigtask.templates.manager import TemplateManager
from bigtask.templates.template import Template
from bigtask.workspaces.source import Source as Found
from bigtask.workspaces.source import examine

LONGEST_REQUEST = 1_000_000
"""Characters. What is longer belongs in a file of the project, which the request can name."""


class Options(Value):
    """What the person says about one run; None leaves it to the template."""

    agent: str | None = None
    model: str | None = None
    effort: str | None = None
    max_workers: int | None = None
    worker_timeout_ms: int | None = None
    max_retries: int | None = None
    spawn_delay_ms: int | None = None
    auto_spawn: bool | None = None
    base: str | None = None
    include_changes: bool | None = None
    max_budget_usd: float | None = None
    max_tokens: int | None = None
    permission_mode: str | None = None
    custom_instructions: str | None = None
    allowed_commands: tuple[tuple[str, ...], ...] | None = None
    yes: bool = False


async def create(
    home: Home,
    *,
    template_id: str,
    cwd: Path,
    request: str,
    agents: AgentTable,
    templates: TemplateManager,
    options: Options | None = None,
    variables: Mapping[str, Any] | None = None,
    by: str = "",
) -> RunFolder:
    """Raises InvalidInput, NotFound, InvalidTemplate or AgentUnavailable, and then has made nothing."""
    options = options or Options()
    text = _usable_request(request)
    template = templates.get(template_id)
    source = await examine(cwd)
    _require_unicode(str(source.root / source.prefix), "the path of the project")
    settings = settings_of(template, options, agents)
    happened = Created(
        template_id=template.id,
        template=template.raw,
        request=text,
        source=describe(source),
        settings=settings,
        variables=dict(variables or {}),
        by=by,
    )
    now = steady_clock()()
    run_id = new_run_id(now)
    # Under another name until its first event is on the disk: what is listed is whole.
    unfinished = home.make_folder(f"{run_id}.new")
    try:
        log = SqliteLog(unfinished.log)
        try:
            await log.append(0, [Event(1, now, happened)])
        finally:
            await log.close()
        finished = RunFolder(home.runs / run_id)
        unfinished.path.rename(finished.path)
    except BaseException:
        shutil.rmtree(unfinished.path, ignore_errors=True)
        raise
    return finished


def _usable_request(request: str) -> str:
    text = request.strip()
    if not text:
        raise InvalidInput("the request is empty: say what is to be done")
    if len(text) > LONGEST_REQUEST:
        raise InvalidInput(
            f"the request has {len(text):,} characters, at most {LONGEST_REQUEST:,} are possible: "
            "put the details into a file of the project and name it in the request"
        )
    if "\0" in text:
        raise InvalidInput("the request holds a NUL character: remove it")
    _require_unicode(text, "the request")
    return text


def _require_unicode(text: str, what: str) -> None:
    """Bytes of a command line that aren't UTF-8 arrive as half characters, which no JSON can hold."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise InvalidInput(f"{what} isn't valid UTF-8: mend it and try again") from None


def settings_of(template: Template, options: Options, agents: AgentTable) -> Settings:
    """The template's config with the person's options over it."""
    name = options.agent or template.config.agent
    agent = agents.find(name) if name else agents.first_usable()
    if agent is None:
        raise AgentUnavailable("no agent can work here: `bigtask agents` says what each of them lacks")
    available = agent.availability()
    if not available.usable:
        raise AgentUnavailable(f"the agent {agent.name} can't work here: {available.detail}")
    refused = agent.refuses(template_id=template.id)
    if refused is not None:
        raise AgentUnavailable(refused)
    if options.base is not None and options.include_changes:
        raise InvalidInput("a chosen base has no uncommitted changes: leave one of the two out")
    config, phases = template.config, template.phases
    settings = Settings(
        agent=agent.name,
        costs_money=agent.traits.costs_money,
        max_workers=config.max_workers,
        worker_timeout_ms=config.worker_timeout_ms,
        auto_spawn=config.auto_spawn,
        parallel_execution=config.parallel_execution,
        retry_on_error=config.retry_on_error,
        max_retries=config.max_retries,
        spawn_delay_ms=config.spawn_delay_ms,
        model=config.model,
        effort=config.effort,
        isolation=config.isolation,
        permission_mode=config.permission_mode,
        max_budget_usd=config.max_budget_usd,
        max_tokens=config.max_tokens,
        phases={
            Phase.ANALYSIS: PhaseSettings(
                enabled=phases.analysis.enabled, timeout_ms=phases.analysis.timeout_ms
            ),
            Phase.TASK_PLANNING: PhaseSettings(
                enabled=phases.task_planning.enabled, timeout_ms=phases.task_planning.timeout_ms
            ),
            Phase.WORKER_EXECUTION: PhaseSettings(enabled=phases.worker_execution.enabled),
            Phase.AGGREGATION: PhaseSettings(
                enabled=phases.aggregation.enabled, timeout_ms=phases.aggregation.timeout_ms
            ),
            Phase.VERIFICATION: PhaseSettings(
                enabled=phases.verification.enabled, timeout_ms=phases.verification.timeout_ms
            ),
        },
        min_tasks=phases.task_planning.validation.min_tasks,
        max_tasks=phases.task_planning.validation.max_tasks,
        require_scope=phases.task_planning.validation.require_scope,
        require_dependencies=phases.task_planning.validation.require_dependencies,
        accept_partial=phases.worker_execution.accept_partial,
        commands=phases.verification.commands,
        allowed_commands=phases.verification.allowed_commands,
        auto_fix=phases.verification.auto_fix,
        max_fixes=phases.verification.max_fixes,
    )
    chosen = {name: value for name, value in msgspec.structs.asdict(options).items() if value is not None}
    settings = msgspec.structs.replace(settings, **{**chosen, "agent": agent.name})
    if settings.costs_money and settings.yes and settings.max_budget_usd is None:
        raise InvalidInput(
            f"--yes with {agent.name}, which costs money, needs a cap: --max-budget-usd AMOUNT"
        )
    if not 1 <= settings.max_workers <= 64:
        raise InvalidInput(f"{settings.max_workers} workers aren't possible: choose 1 to 64")
    return settings


def describe(found: Found) -> Source:
    """What a run keeps of where it was started."""
    prefix = f"{found.prefix}/" if found.prefix else ""
    return Source(
        kind=found.kind,
        cwd=str(found.root / found.prefix),
        root=str(found.root),
        prefix=prefix,
        branch=found.branch,
        head=found.head,
        dirty=tuple(f"{status} {path}" for status, path in found.dirty),
        dirty_count=found.dirty_count,
    )
