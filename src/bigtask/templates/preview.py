"""A prompt that is only looked at: no run, no agent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bigtask.errors import InvalidInput
from bigtask.protocol.delimiters import neutralise
from bigtask.templates.prompting import PROMPTS, PromptText, build_prompt, pair_of
from bigtask.templates.samples import sample_values
from bigtask.templates.shape import suggestion
from bigtask.templates.template import Template
from bigtask.templates.variables import BUILT_IN, names, printed


@dataclass(frozen=True, kw_only=True)
class Preview:
    """`warnings` are sentences: names without a value, values without a use."""

    phase: str
    prompt: PromptText
    warnings: tuple[str, ...] = ()


def preview(template: Template, phase: str, variables: Mapping[str, Any]) -> Preview:
    """The prompt as an agent would get it, with sample values for what only a run knows. `phase` may be
    called after its prompt (`worker`); another one raises InvalidInput."""
    chosen = _phase(phase)
    delimiters = template.prompts.response_format
    known = {k: v for k, v in sample_values(template, chosen).items() if k in BUILT_IN[chosen]}
    safe = {
        name: neutralise(printed(value), delimiters.start_delimiter, delimiters.end_delimiter)
        for name, value in {**known, **variables}.items()
    }
    prompt = build_prompt(template, chosen, {**safe, "RESPONSE_FORMAT": known["RESPONSE_FORMAT"]})
    offered = (*BUILT_IN[chosen], *template.variables)
    warnings = [
        f"{{{name}}} has no value and stays as it is{suggestion(name, offered)}" for name in prompt.unknown
    ]
    used = {
        name
        for one in PROMPTS
        for text in (pair_of(template, one).system, pair_of(template, one).user)
        for name in names(text)
    }
    warnings += [
        f"no prompt of {template.id} uses {name}{suggestion(name, [one for one in offered if one != name])}"
        for name in variables
        if name not in used
    ]
    return Preview(phase=chosen, prompt=prompt, warnings=tuple(warnings))


def _phase(given: str) -> str:
    by_name = {name.lower(): phase for phase, prompt in PROMPTS.items() for name in (phase, prompt)}
    found = by_name.get(given.lower())
    if found is None:
        near = suggestion(given, {*PROMPTS, *PROMPTS.values()})
        near = near or f": choose one of {', '.join(PROMPTS.values())}"
        raise InvalidInput(f"{given} isn't a phase{near}")
    return found
