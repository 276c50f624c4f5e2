"""The prompt of one phase: the template's two parts with every `{NAME}` filled in, once."""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass
from typing import Any

from bigtask.templates.template import PromptPair, Template
from bigtask.templates.variables import Form, form, render

PROMPTS: Mapping[str, str] = {
    "analysis": "analysis",
    "taskPlanning": "taskPlanning",
    "workerExecution": "worker",
    "aggregation": "aggregation",
    "verification": "verification",
}
"""Each phase with the key that its prompt has below `prompts`."""


@dataclass(frozen=True, kw_only=True)
class PromptText:
    """`unknown` are the names that had no value, each once: a warning for the person, not an error."""

    system: str
    user: str
    unknown: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """Both parts as one text, for an agent that has no separate place for the first."""
        return "\n\n".join(part for part in (self.system, self.user) if part)


def build_prompt(template: Template, phase: str, values: Mapping[str, Any]) -> PromptText:
    """`phase` is one of `BUILT_IN`'s; another one is a `KeyError`.

    `values` win over the template's variables, which win over its limits (`MIN_TASKS`, `MAX_TASKS`,
    `MAX_WORKERS`). Whatever in them comes from outside has its delimiters neutralised already;
    `RESPONSE_FORMAT` is the protocol's text for this phase, with its delimiters as they are.
    """
    pair = pair_of(template, phase)
    everything = _everything(template, values)
    system = render(pair.system, everything)
    user = render(pair.user, everything)
    return PromptText(
        system=system.text,
        user=user.text,
        unknown=tuple(dict.fromkeys((*system.unknown, *user.unknown))),
    )


def prompt_form(
    template: Template, phase: str, values: Mapping[str, Any], *, open_names: Container[str] = ()
) -> Form:
    """What `build_prompt` gives as one text, but for `open_names`: they are filled in for each attempt."""
    pair = pair_of(template, phase)
    known = {name: v for name, v in _everything(template, values).items() if name not in open_names}
    return form("\n\n".join(part for part in (pair.system, pair.user) if part), known)


def _everything(template: Template, values: Mapping[str, Any]) -> dict[str, Any]:
    return {**_limits(template), **template.variables, **values}


def pair_of(template: Template, phase: str) -> PromptPair:
    """`phase` is a key of `PROMPTS`; another one is a `KeyError`."""
    prompts = template.prompts
    return {
        "analysis": prompts.analysis,
        "taskPlanning": prompts.task_planning,
        "workerExecution": prompts.worker,
        "aggregation": prompts.aggregation,
        "verification": prompts.verification,
    }[phase]


def _limits(template: Template) -> dict[str, int]:
    tasks = template.phases.task_planning.validation
    workers = template.config.max_workers if template.config.parallel_execution else 1
    return {"MIN_TASKS": tasks.min_tasks, "MAX_TASKS": tasks.max_tasks, "MAX_WORKERS": workers}
