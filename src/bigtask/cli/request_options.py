"""What `run` and `create` take: a template, a request and everything that governs the run."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from bigtask.cli.completion import template_ids
from bigtask.errors import InvalidInput

if TYPE_CHECKING:
    from bigtask.host.creation import Options

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Request:
    """What a person wants, and how."""

    template: str
    text: str
    cwd: Path
    variables: Mapping[str, str]
    options: Options


_OPTIONS = (
    click.argument("template", shell_complete=template_ids),
    click.argument("request"),
    click.option(
        "--cwd", type=click.Path(path_type=Path), default=Path(), help="The project. Default: this folder."
    ),
    click.option("--agent", metavar="NAME", help="Who does the work; `bigtask agents` lists them."),
    click.option(
        "--agent-for",
        multiple=True,
        metavar="PHASE=NAME",
        help="Who does a phase instead: analysis, taskPlanning, workerExecution, aggregation, verification",
    ),
    click.option(
        "--fallback",
        multiple=True,
        metavar="NAME",
        help="Who does the work of an agent that can't work here. Given again, the next choice.",
    ),
    click.option("--model", metavar="NAME", help="The agent's model."),
    click.option(
        "--model-for", multiple=True, metavar="PHASE=NAME", help="The model of a phase's agent instead."
    ),
    click.option("--effort", metavar="LEVEL", help="How hard the model thinks, in the agent's own words."),
    click.option(
        "--max-workers", type=click.IntRange(1, 64), metavar="N", help="At most so many at once (1 to 64)."
    ),
    click.option("--var", "variables", multiple=True, metavar="K=V", help="A variable of the template."),
    click.option("--instructions", metavar="TEXT|@FILE", help="Further instructions for every agent."),
    click.option("--base", metavar="REF", help="Start from this commit or branch. Default: HEAD."),
    click.option(
        "--include-changes/--without-changes",
        "include_changes",
        default=None,
        help="Take uncommitted changes along, or not. Default: ask.",
    ),
    click.option(
        "--max-budget-usd",
        type=click.FloatRange(0, min_open=True),
        metavar="USD",
        help="Stop and ask at this cost.",
    ),
    click.option("--max-tokens", type=click.IntRange(1), metavar="N", help="Stop and ask at so many tokens."),
    click.option(
        "--permission-mode",
        type=click.Choice(("ask", "acceptEdits", "readOnly", "all")),
        help="What agents may do without asking.",
    ),
    click.option(
        "--project-rules/--without-project-rules",
        "project_rules",
        default=None,
        help="Approve what the project brings for agents (CLAUDE.md, hooks, tool servers), or never load it. "
        "Default: ask, or with --yes load only what is approved.",
    ),
    click.option("-y", "--yes", is_flag=True, help="Confirm the plan beforehand."),
    click.option(
        "--ci",
        is_flag=True,
        help="Ask nobody: the plan is confirmed, permissions are denied unless a rule allows them. Needs a "
        "cap where the agent costs money, writes reports, and ends with 3 where a person is needed.",
    ),
)


def request_options(command: Callable[..., T]) -> Callable[..., T]:
    """The arguments arrive as one keyword, `request`. What is wrong with them raises InvalidInput."""

    @functools.wraps(command)
    def gathered(
        *given: Any, template: str, request: str, cwd: Path, variables: tuple[str, ...], **more: Any
    ) -> T:
        options = {name: more.pop(name) for name in _RUN_OPTIONS}
        wanted = Request(
            template=template,
            text=text_of(request),
            cwd=cwd,
            variables=variables_of(variables),
            options=_options(**options),
        )
        return command(*given, request=wanted, **more)

    for option in reversed(_OPTIONS):
        gathered = option(gathered)
    return gathered


_RUN_OPTIONS = (
    "agent",
    "agent_for",
    "fallback",
    "model",
    "model_for",
    "effort",
    "max_workers",
    "instructions",
    "base",
    "include_changes",
    "max_budget_usd",
    "max_tokens",
    "permission_mode",
    "project_rules",
    "yes",
    "ci",
)


def _options(
    *,
    agent_for: tuple[str, ...],
    fallback: tuple[str, ...],
    model_for: tuple[str, ...],
    instructions: str | None,
    base: str | None,
    include_changes: bool | None,
    **as_given: Any,
) -> Options:
    from bigtask.host.creation import Options

    return Options(
        agent_for=_of_phases("--agent-for", agent_for) or None,
        fallback=fallback or None,
        model_for=_of_phases("--model-for", model_for) or None,
        base=base,
        # A commit that somebody chose is what the run starts from, and nothing beside it.
        include_changes=False if include_changes is None and base is not None else include_changes,
        custom_instructions=None if instructions is None else text_of(instructions),
        **as_given,
    )


def _of_phases(option: str, given: tuple[str, ...]) -> dict[str, str]:
    found: dict[str, str] = {}
    for pair in given:
        phase, sign, name = pair.partition("=")
        if not (phase and sign and name):
            raise InvalidInput(f"{option} takes PHASE=NAME, not {pair!r}")
        if phase in found:
            raise InvalidInput(f"{option} names {phase} twice: leave one of the two out")
        found[phase] = name
    return found


def text_of(given: str) -> str:
    """The text itself, `@FILE` or `-` for standard input. Raises InvalidInput."""
    if given != "-" and not given.startswith("@"):
        return given
    name = "standard input" if given == "-" else given[1:]
    try:
        raw = sys.stdin.buffer.read() if given == "-" else Path(name).read_bytes()
        return raw.decode()
    except OSError as error:
        raise InvalidInput(f"{name} can't be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise InvalidInput(f"{name} isn't UTF-8 text: convert it first") from None


def variables_of(pairs: tuple[str, ...]) -> dict[str, str]:
    """Raises InvalidInput."""
    found = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise InvalidInput(f"--var {pair!r} isn't NAME=VALUE")
        found[name] = value
    return found
