"""Everything that can be said against a template: first what schema.json says, then what a schema can't.

A partial child is checked as a partial; what it resolves to is checked as a whole.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any

from bigtask.errors import InvalidTemplate
from bigtask.protocol.delimiters import delimiter_problem
from bigtask.protocol.fields import ANSWERS, schema
from bigtask.templates.commands import commands
from bigtask.templates.inheritance import lineage, resolve
from bigtask.templates.prompting import PROMPTS, pair_of
from bigtask.templates.shape import MOST_PROBLEMS, Problem, pointer, shape_problems, suggestion
from bigtask.templates.template import PromptPair, Template, thaw
from bigtask.templates.variables import BUILT_IN, names


@dataclass(frozen=True, kw_only=True)
class Findings:
    """Errors keep a template from being used; warnings are shown to its author and when a run starts."""

    errors: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()


def check(raw: object, raw_by_id: Mapping[str, Mapping[str, Any]], broken: Container[str] = ()) -> Findings:
    """`raw_by_id` are the templates that this one may extend; an older one of the same id is left aside.
    `broken` are ids that exist and can't be extended."""
    misshapen = shape_problems(raw)
    if misshapen or not isinstance(raw, Mapping):
        return Findings(errors=misshapen)
    others = {**raw_by_id, raw["id"]: raw}
    try:
        way = lineage(raw["id"], others, broken)
        resolved = resolve(raw["id"], others)
        if inherited := shape_problems(resolved):
            return Findings(errors=_with_chain(inherited, way))
        template = thaw(resolved)
    except InvalidTemplate as error:
        return Findings(errors=error.problems)
    meaning = check_meaning(template)
    return Findings(errors=_with_chain(meaning.errors, way), warnings=meaning.warnings)


def check_meaning(template: Template) -> Findings:
    """What a schema can't say about a resolved template."""
    return Findings(
        errors=(*_delimiters(template), *_bounds(template), *_format_fields(template)),
        warnings=tuple(
            islice(chain(_names(template), _shadowed(template), _commands(template)), MOST_PROBLEMS)
        ),
    )


def warnings_for(template: Template, given: Collection[str]) -> tuple[Problem, ...]:
    """What a run with values for the variables `given` should be warned of."""
    said = chain(_names(template, given), _shadowed(template), _commands(template), _unused(template, given))
    return tuple(islice(said, MOST_PROBLEMS))


def _with_chain(problems: tuple[Problem, ...], ids: tuple[str, ...]) -> tuple[Problem, ...]:
    if len(ids) == 1:
        return problems
    way = " -> ".join(ids)
    return tuple((where, f"{sentence} (in {way})") for where, sentence in problems)


def _delimiters(template: Template) -> Iterator[Problem]:
    given = template.prompts.response_format
    problem = delimiter_problem(given.start_delimiter, given.end_delimiter)
    if problem is not None:
        yield "/prompts/responseFormat", problem


def _bounds(template: Template) -> Iterator[Problem]:
    limits = template.phases.task_planning.validation
    if limits.min_tasks > limits.max_tasks:
        yield (
            "/phases/taskPlanning/validation/minTasks",
            f"must not be above maxTasks ({limits.max_tasks}): no plan could pass",
        )


def _format_fields(template: Template) -> Iterator[Problem]:
    required = template.phases.analysis.validation.required_fields
    yield from _unknown_fields("/phases/analysis/validation/requiredFields", required, schema("analysis"))
    for phase, key, pair in _pairs(template):
        where = f"/prompts/{key}/format"
        answer = schema(ANSWERS[phase])
        yield from _unknown_fields(f"{where}/requiredFields", pair.format.required_fields, answer)
        yield from _unknown_fields(f"{where}/optionalFields", pair.format.optional_fields, answer)
    task = schema("task_list")["properties"]["tasks"]["items"]
    for name in template.prompts.task_planning.format.task_schema:
        if name not in task["properties"]:
            yield "/prompts/taskPlanning/format/taskSchema" + pointer([name]), _no_field(name, task)


def _unknown_fields(where: str, asked: Sequence[str], answer: Mapping[str, Any]) -> Iterator[Problem]:
    for index, name in enumerate(asked):
        if name not in answer["properties"]:
            yield f"{where}/{index}", _no_field(name, answer)


def _no_field(name: str, answer: Mapping[str, Any]) -> str:
    known = answer["properties"]
    return f"the answer has no field {name}" + (suggestion(name, known) or f": known are {', '.join(known)}")


def _names(template: Template, given: Collection[str] = ()) -> Iterator[Problem]:
    for phase, key, pair in _pairs(template):
        where = f"/prompts/{key}"
        known = BUILT_IN[phase] | frozenset(template.variables) | frozenset(given)
        for part, text in (("system", pair.system), ("user", pair.user)):
            for name in names(text):
                if name not in known:
                    yield f"{where}/{part}", _unknown_name(name, phase, known)
        if "RESPONSE_FORMAT" not in names(pair.system + pair.user):
            yield where, "{RESPONSE_FORMAT} is missing: the agent isn't told how to answer"


def _unknown_name(name: str, phase: str, known: Collection[str]) -> str:
    elsewhere = [other for other, builtin in BUILT_IN.items() if name in builtin]
    if elsewhere:
        return f"{{{name}}} has no value in {phase} and stays as it is: only in {', '.join(elsewhere)}"
    return f"{{{name}}} has no value and stays as it is{suggestion(name, known) or ': name it in variables'}"


def _shadowed(template: Template) -> Iterator[Problem]:
    taken = frozenset().union(*BUILT_IN.values())
    for name in template.variables:
        if name in taken:
            yield "/variables" + pointer([name]), f"{name} is set by bigtask itself: this value is never used"


def _unused(template: Template, given: Collection[str]) -> Iterator[Problem]:
    used = {
        name for _, _, pair in _pairs(template) for text in (pair.system, pair.user) for name in names(text)
    }
    taken = frozenset().union(*BUILT_IN.values())
    for name in given:
        where = "/variables" + pointer([name])
        if name in taken:
            yield where, f"{name} is set by bigtask itself: the value that was given is never used"
        elif name not in used and name not in template.variables:
            near = suggestion(name, {*used - taken, *template.variables}) or ": its value is never used"
            yield where, f"no prompt names {{{name}}}{near}"


def _commands(template: Template) -> Iterator[Problem]:
    for where, command in commands(template):
        program = command[0]
        if " " in program.strip() and "/" not in program:
            meant = json.dumps([*program.split(), *command[1:]], ensure_ascii=False)
            yield f"{where}/0", f"no program is called {json.dumps(program)}: write {meant}"
        for index, word in enumerate(command):
            if word in _OF_SHELLS:
                yield (
                    f"{where}/{index}",
                    f"{word} means something to a shell only, and none reads this: put it into a script",
                )


_OF_SHELLS = frozenset({"|", "||", "&&", "&", ";", ">", ">>", "<", "2>&1"})


def _pairs(template: Template) -> tuple[tuple[str, str, PromptPair], ...]:
    return tuple((phase, key, pair_of(template, phase)) for phase, key in PROMPTS.items())
