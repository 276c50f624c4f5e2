"""What one place says about the settings: each value with where it stands, and all that is wrong there."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from enum import StrEnum
from typing import Any

from bigtask.configuration.keys import KEYS, OF_TEMPLATES, OTHER_VARIABLES, PREFIX, Key, Unfit, shown
from bigtask.errors import InvalidInput
from bigtask.templates.inheritance import merge
from bigtask.templates.shape import suggestion

BASE = "_default"
"""The template whose values are the defaults."""

_LONGEST_NAME = 60


class Rank(StrEnum):
    """The first that says something about a setting wins; what a repository says has rules of its own."""

    OPTIONS = "options"
    ENVIRONMENT = "environment"
    TEMPLATE = "template"
    REPOSITORY = "repository"
    USER = "user"
    DEFAULT = "default"


@dataclass(frozen=True, kw_only=True)
class Origin:
    """`place` is `FILE:LINE`, the name of a variable, or the id of a template."""

    rank: Rank
    place: str = ""

    def __str__(self) -> str:
        match self.rank:
            case Rank.OPTIONS:
                return "this run's own options"
            case Rank.TEMPLATE:
                return f"the template {self.place}"
            case Rank.DEFAULT:
                return "the default"
            case _:
                return self.place


@dataclass(frozen=True, kw_only=True)
class Said:
    value: Any
    origin: Origin


@dataclass(frozen=True, kw_only=True)
class Layer:
    """`problems` keep a run from being made, `warnings` don't. Both are sentences that name the place."""

    rank: Rank
    said: Mapping[str, Said] = field(default_factory=dict)
    problems: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def of_options(values: Mapping[str, Any]) -> Layer:
    """`values` by the fields of `Options`; None says nothing, and what isn't a setting is passed over."""
    found = {key.name: values[key.field] for key in KEYS.values() if values.get(key.field) is not None}
    return _fitted(found, Origin(rank=Rank.OPTIONS))


def of_environment(environ: Mapping[str, str]) -> Layer:
    """An empty variable says nothing. A name that is nearly a setting's is warned about; other names with our
    prefix aren't ours to judge here."""
    said: dict[str, Said] = {}
    problems = []
    for key in KEYS.values():
        text = environ.get(key.variable, "").strip()
        if not text:
            continue
        try:
            value = key.parse(text)
        except Unfit as unfit:
            problems.append(f"{key.variable} {unfit}{_meant(text, key)}")
        else:
            said[key.name] = Said(value=value, origin=Origin(rank=Rank.ENVIRONMENT, place=key.variable))
    ours = {key.variable for key in KEYS.values()} | OTHER_VARIABLES.keys()
    warnings = [
        f"{name} isn't a setting{meant}"
        for name in sorted(environ)
        if name.startswith(PREFIX) and name not in ours and (meant := nearest_variable(name))
    ]
    return Layer(rank=Rank.ENVIRONMENT, said=said, problems=tuple(problems), warnings=tuple(warnings))


def nearest_variable(name: str) -> str:
    """`: did you mean BIGTASK_X?` when one is close, else nothing. The prefix, which all share, tells
    nothing."""
    variables = (*(key.variable for key in KEYS.values()), *OTHER_VARIABLES)
    rests = {variable.removeprefix(PREFIX): variable for variable in variables}
    close = get_close_matches(name.removeprefix(PREFIX), sorted(rests), n=1, cutoff=0.7)
    return f": did you mean {rests[close[0]]}?" if close else ""


def of_template(template_id: str, raw: Callable[[str], Mapping[str, Any]]) -> Layer:
    """What a template and those that it extends say themselves; `raw` gives a template's own JSON by its id.

    The values of `_default` are everybody's defaults and not the template's word: did they count as that, a
    person's file could never say anything.
    """
    chain = []
    ancestor: str | None = template_id
    while ancestor is not None and ancestor != BASE:
        own = raw(ancestor)
        chain.append({part: own[part] for part in ("config", "phases") if part in own})
        ancestor = own.get("extends")
    merged: dict[str, Any] = {}
    for own in reversed(chain):
        merged = merge(merged, own)
    found = {**merged.get("config", {})}
    found["allowedCommands"] = merged.get("phases", {}).get("verification", {}).get("allowedCommands")
    return _fitted(found, Origin(rank=Rank.TEMPLATE, place=template_id))


def _fitted(found: Mapping[str, Any], origin: Origin) -> Layer:
    said: dict[str, Said] = {}
    problems = []
    for key in KEYS.values():
        value = found.get(key.name)
        if value is None:
            continue
        try:
            said[key.name] = Said(value=_fit(key, value, origin), origin=origin)
        except Unfit as unfit:
            problems.append(f"{origin}: {key.name} {unfit}")
    return Layer(rank=origin.rank, said=said, problems=tuple(problems))


def _fit(key: Key, value: Any, origin: Origin) -> Any:
    # A program knows what it starts, and may give it less time than is sensible for an agent.
    if origin.rank is Rank.OPTIONS and key.name == "workerTimeout" and isinstance(value, int) and value > 0:
        return value
    return key.fit(value)


def of_file(text: str, *, rank: Rank, name: str) -> Layer:
    """A TOML file whose keys are the names of settings; `name` is what sentences call it."""
    try:
        found = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        return Layer(rank=rank, problems=(_syntax(str(error), text, name),))
    except RecursionError:
        return Layer(rank=rank, problems=(f"{name} is nested too deeply: settings are plain values",))
    said: dict[str, Said] = {}
    problems, warnings = [], []
    for setting, value in found.items():
        place = f"{name}:{_line(setting, text)}"
        key = KEYS.get(setting)
        if key is None:
            warnings.append(f"{place}: {_unknown(setting, value)}")
        elif rank is Rank.REPOSITORY and not key.by_repository:
            warnings.append(
                f"{place}: a repository can't set {setting}: set it in a template or a file of your own"
            )
        else:
            try:
                said[setting] = Said(value=key.fit(value), origin=Origin(rank=rank, place=place))
            except Unfit as unfit:
                problems.append(f"{place}: {setting} {unfit}{_meant(value, key)}")
    return Layer(rank=rank, said=said, problems=tuple(problems), warnings=tuple(warnings))


def _unknown(name: str, value: object) -> str:
    if name in OF_TEMPLATES:
        return f"{name} can only be set in a template's config"
    if isinstance(value, dict):
        return f"the table {shown(name)} isn't known: settings stand by themselves, like maxWorkers = 3"
    meant = suggestion(name[:_LONGEST_NAME], KEYS)
    return f"{shown(name)[1:-1]} isn't a setting{meant or ': `bigtask doctor` lists all of them'}"


def _meant(value: object, key: Key) -> str:
    words = key.wanted.removeprefix("one of ")
    if words == key.wanted or not isinstance(value, str) or len(value) > _LONGEST_NAME:
        return ""
    choices = words.split(", ")
    same = [choice for choice in choices if choice.lower() == value.lower().replace("_", "").replace("-", "")]
    return f": did you mean {same[0]}?" if same else suggestion(value, choices)


def _syntax(reason: str, text: str, name: str) -> str:
    found = re.search(r" \(at line (\d+), column (\d+)\)", reason)
    if found is None:
        line = text.count("\n") + 1
        return f"{name}:{line}: this isn't TOML: {_small(reason.removesuffix(' (at end of document)'))} here"
    said = _small(reason[: found.start()])
    return f"{name}:{found[1]}: this isn't TOML at column {found[2]}: {said}"


def _small(reason: str) -> str:
    return reason[:1].lower() + reason[1:]


def _line(name: str, text: str) -> int:
    """Where a key of the top level stands: `tomllib` doesn't tell. A table counts where it begins."""
    quoted = re.escape(name)
    key = rf"""(?:{quoted}|"{quoted}"|'{quoted}')"""
    pattern = re.compile(rf"\s*(?:{key}\s*[.=]|\[\[?\s*{key}\s*[.\]])")
    return next((number for number, line in enumerate(text.splitlines(), 1) if pattern.match(line)), 1)


def require_fit(layers: Iterable[Layer]) -> None:
    """Raises InvalidInput with every problem."""
    problems = [problem for layer in layers for problem in layer.problems]
    if problems:
        raise InvalidInput("these settings can't be used: " + "; ".join(problems))
