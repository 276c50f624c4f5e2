"""Making a run: everything that it depends on is looked up now and kept with it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from bigtask.agents.table import AgentTable
from bigtask.approvals import Approvals
from bigtask.configuration.files import read
from bigtask.configuration.layers import Layer, Rank, of_options, of_template, require_fit
from bigtask.configuration.resolution import Setting, resolve
from bigtask.core.events import Created, Event
from bigtask.core.states import Phase
from bigtask.core.values import PhaseSettings, Settings, Source, Value
from bigtask.errors import InvalidInput
from bigtask.host.agent_choice import choose
from bigtask.host.holder import steady_clock
from bigtask.host.home import Home, RunFolder, new_run_id
from bigtask.host.log import SqliteLog
from bigtask.host.stand_ins import replacements
from bigtask.secrecy import Secrecy, of_environment
from bigtask.sink import log
from bigtask.templates.checking import warnings_for
from bigtask.templates.manager import TemplateManager
from bigtask.templates.programs import hook_files, hook_warnings
from bigtask.templates.template import Phases, Template
from bigtask.workspaces.basis import require_base
from bigtask.workspaces.source import Source as Found
from bigtask.workspaces.source import examine

LONGEST_REQUEST = 1_000_000
"""Characters. What is longer belongs in a file of the project, which the request can name."""


class Options(Value):
    """What the person says about one run; None leaves it to the configuration and the template."""

    agent: str | None = None
    agent_for: Mapping[str, str] | None = None
    """Who does a phase instead, by the names of phases."""
    fallback: tuple[str, ...] | None = None
    """Who does the work of an agent that can't work here: the first of these that can."""
    model_for: Mapping[str, str] | None = None
    """With which model a phase is done, likewise."""
    slots_for: Mapping[str, int] | None = None
    """How many attempts an agent has at once at most, by its name."""
    model: str | None = None
    effort: str | None = None
    max_workers: int | None = None
    worker_timeout_ms: int | None = None
    max_retries: int | None = None
    spawn_delay_ms: int | None = None
    stall_after_ms: int | None = None
    poll_interval_ms: int | None = None
    auto_spawn: bool | None = None
    base: str | None = None
    include_changes: bool | None = None
    max_budget_usd: float | None = None
    max_tokens: int | None = None
    permission_mode: str | None = None
    project_rules: bool | None = None
    parallel_execution: bool | None = None
    retry_on_error: bool | None = None
    isolation: str | None = None
    custom_instructions: str | None = None
    allowed_commands: tuple[tuple[str, ...], ...] | None = None
    workspaces_gib: float | None = None
    permissions: Mapping[str, tuple[str, ...]] | None = None
    """Rules as in the configuration, by `allow`, `ask` and `deny`."""
    unanswered: Mapping[str, str] | None = None
    """As in the configuration: `{"permission": "deny after 30m"}`."""
    depth: int | None = None
    """How many runs are above this one."""
    yes: bool = False
    ci: bool = False
    """Nobody is asked anything; it is `yes` as well."""


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
    environ: Mapping[str, str] | None = None,
    by: str = "",
    run_id: str | None = None,
) -> RunFolder:
    """Without `environ` neither its variables nor the person's own configuration count. `run_id` is one that
    no run has; by default a new one is made.

    Raises InvalidInput, NotFound, InvalidTemplate, AgentUnavailable, or Forbidden where a person has to
    approve something first; and then has made nothing.
    """
    options = options or Options()
    text = _usable_request(request)
    approved = templates.get_approved(template_id)
    template = approved.template
    approvals = Approvals(home.approvals)
    source = await examine(cwd, approvals.allow_git)
    await require_base(source, options.base)
    _require_unicode(str(source.root / source.prefix), "the path of the project")
    configuration = read(source.root, environ)
    configuration.require_usable(approvals)
    own = of_template(template.id, approved.files.__getitem__)
    settings = settings_of(template, options, agents, (own, *configuration.layers))
    # What was approved, not what lies there by now.
    files = approved.hook_files if approved.hook_files is not None else hook_files(template, source.root)
    settings = msgspec.structs.replace(settings, hook_files=files)
    replaced = replacements(settings, agents, template.id)
    happened = _without_secrets(
        Created(
            template_id=template.id,
            template=template.raw,
            request=text,
            source=source_of(source),
            settings=settings,
            variables=dict(variables or {}),
            warnings=_warnings(template, variables or {}, source.root),
            by=by,
        ),
        Secrecy(of_environment(os.environ)),
    )
    now = steady_clock()()
    events = [Event(seq, now, each) for seq, each in enumerate((happened, *replaced), 1)]
    return await _written(home, run_id or new_run_id(now), events)


async def _written(home: Home, run_id: str, events: Sequence[Event]) -> RunFolder:
    """The folder of the new run, with these events in its log."""
    # Under another name until its first event is on the disk: what is listed is whole.
    unfinished = home.make_folder(f"{run_id}.new")
    try:
        log = SqliteLog(unfinished.log)
        try:
            await log.append(0, events)
        finally:
            await log.close()
        finished = RunFolder(home.runs / run_id)
        unfinished.path.rename(finished.path)
    except BaseException:
        shutil.rmtree(unfinished.path, ignore_errors=True)
        raise
    return finished


def _without_secrets(happened: Created, secrecy: Secrecy) -> Created:
    """What a run keeps of its beginning. Texts for agents are kept without secrets; what something is done
    with later can't be: there they are refused.

    Raises InvalidInput.
    """
    kept = secrecy.value(happened)
    if kept is happened:
        return happened
    source, settings = happened.source, happened.settings
    for what, value, instead in (
        ("the path of the project", (source.cwd, source.root), "rename that folder"),
        ("the template", happened.template, "let its commands read it from a file or a variable"),
        ("a setting of the run", _without_texts(settings), "put it into a file or a variable"),
    ):
        found = secrecy.kinds(value)
        if found:
            raise InvalidInput(
                f"{what} holds what looks like a secret ({', '.join(found)}), and runs keep none: {instead}"
            )
    spoken = secrecy.kinds((happened.request, happened.variables, settings.custom_instructions))
    if spoken:
        log("OrchestratorManager").warning(
            "the request holds what looks like a secret (%s): it is kept as [redacted: …], and agents see no "
            "more of it. Put it into a file or a variable that the work can read",
            ", ".join(spoken),
        )
    return kept


def _without_texts(settings: Settings) -> Settings:
    return msgspec.structs.replace(settings, custom_instructions="")


def _warnings(template: Template, variables: Mapping[str, Any], root: Path) -> tuple[str, ...]:
    found = (*warnings_for(template, variables), *hook_warnings(template, root))
    said = tuple(f"{where}: {sentence}" for where, sentence in found)
    for warning in said:
        log("TemplateManager").warning("the template %s: %s", template.id, warning)
    return said


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


def settings_of(
    template: Template, options: Options, agents: AgentTable, layers: Sequence[Layer] = ()
) -> Settings:
    """The person's options over what the layers say; warnings of the layers are logged.

    Raises InvalidInput, NotFound or AgentUnavailable.
    """
    given = (of_options(msgspec.structs.asdict(options)), *layers)
    require_fit(given)
    found = resolve(given)
    for warning in (*(warning for layer in given for warning in layer.warnings), *found.warnings):
        log("OrchestratorManager").warning("%s", warning)
    agent_for = {**of_phases(template, "agent"), **(options.agent_for or {})}
    model_for = {**of_phases(template, "model"), **(options.model_for or {})}
    for phase in (*agent_for, *model_for):
        _require_phase(phase)
    choice = choose(agents, found, agent_for, template.id)
    _require_fit_for_one_run(options, found["permissionMode"])
    available = choice.instead.availability()
    options = msgspec.structs.replace(options, yes=options.yes or options.ci)
    chosen = {name: value for name, value in msgspec.structs.asdict(options).items() if value is not None}
    settings = msgspec.structs.replace(
        _of_template(template, choice.wanted.name),
        **{
            **chosen,
            **found.fields(),
            "agent": choice.wanted.name,  # also where none is named, and the first that can work was found
            "agent_for": agent_for,
            "model_for": model_for,
            "costs_money": choice.dear is not None,
            "account": available.account or "",
            "subscription": available.subscription,
        },
    )
    if choice.dear is not None and settings.yes and settings.max_budget_usd is None:
        said = "--ci" if settings.ci else "--yes"
        raise InvalidInput(
            f"{said} with {choice.dear.name}, which costs money, needs a cap: --max-budget-usd AMOUNT, "
            "or maxBudgetUsd in your configuration"
        )
    return settings


def _of_template(template: Template, agent: str) -> Settings:
    """What the template alone decides; all else as by default. `agent` is the name of the run's own."""
    phases, config = template.phases, template.config
    planning, execution = phases.task_planning, phases.worker_execution
    aggregation, verification = phases.aggregation, phases.verification
    return Settings(
        agent=agent,
        phases={
            Phase.ANALYSIS: PhaseSettings(
                enabled=phases.analysis.enabled, timeout_ms=phases.analysis.timeout_ms
            ),
            Phase.TASK_PLANNING: PhaseSettings(enabled=planning.enabled, timeout_ms=planning.timeout_ms),
            Phase.WORKER_EXECUTION: PhaseSettings(enabled=execution.enabled),
            Phase.AGGREGATION: PhaseSettings(enabled=aggregation.enabled, timeout_ms=aggregation.timeout_ms),
            Phase.VERIFICATION: PhaseSettings(
                enabled=verification.enabled, timeout_ms=verification.timeout_ms
            ),
        },
        min_tasks=planning.validation.min_tasks,
        max_tasks=planning.validation.max_tasks,
        require_scope=planning.validation.require_scope,
        require_dependencies=planning.validation.require_dependencies,
        accept_partial=execution.accept_partial,
        commands=verification.commands,
        auto_fix=verification.auto_fix,
        max_fixes=verification.max_fixes,
        combine=aggregation.combine,
        on_conflict=aggregation.on_conflict,
        hooks=_hooks(template),
        include=config.include,
        setup=config.setup,
        poll_interval_ms=config.poll_interval_ms,
    )


def _require_fit_for_one_run(options: Options, permission_mode: Setting) -> None:
    """Raises InvalidInput for what has to be said anew for each run, and for options that exclude each
    other."""
    if permission_mode.value == "all" and permission_mode.origin.rank is not Rank.OPTIONS:
        raise InvalidInput(
            f"permissionMode all, from {permission_mode.origin}, lets agents do anything without a question: "
            "say so for this run too, with --permission-mode all, or choose another one"
        )
    if options.base is not None and options.include_changes:
        raise InvalidInput("a chosen base has no uncommitted changes: leave one of the two out")
    _require_poll_interval(options.poll_interval_ms)


def _require_poll_interval(given: int | None) -> None:
    if given is not None and not 100 <= given <= 30_000:
        raise InvalidInput(f"pollInterval must be a whole number from 100 to 30000, not {given}")


def of_phases(template: Template, field: str) -> dict[str, str]:
    """What a template says of its phases themselves, by their names: their `agent`, or their `model`."""
    phases = msgspec.structs.asdict(template.phases)
    said = {info.encode_name: getattr(phases[info.name], field) for info in msgspec.structs.fields(Phases)}
    return {name: value for name, value in said.items() if value is not None}


def _require_phase(phase: str) -> None:
    if phase not in tuple(Phase):
        raise InvalidInput(f"there is no phase {phase!r}: choose one of {', '.join(Phase)}")


def _hooks(template: Template) -> dict[str, tuple[str, ...]]:
    named = msgspec.to_builtins(template.hooks)
    return {name: tuple(command) for name, command in named.items() if command is not None}


def source_of(found: Found) -> Source:
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
