"""What the template files of all places come to: which of them wins, what each extends, what is wrong."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from bigtask.errors import InvalidTemplate, NotFound
from bigtask.templates.checking import Findings, check
from bigtask.templates.folder import TemplateFile
from bigtask.templates.identity import ID_RULE, is_id
from bigtask.templates.inheritance import lineage, resolve, unknown
from bigtask.templates.listed import Listed, Source
from bigtask.templates.reading import Unreadable
from bigtask.templates.shape import Problem
from bigtask.templates.template import Template, thaw


@dataclass(frozen=True, kw_only=True)
class Sound:
    """A template without an error. Checking is slow, and most files stay as they are."""

    template: Template
    warnings: tuple[Problem, ...]


MoreWarnings = Callable[[Template, Source], Sequence[Problem]]
"""What only somebody who looks at the disk can say of a template."""


@dataclass(frozen=True, kw_only=True)
class Library:
    """`raw_by_id` are the templates whose shape is right, `winners` the file that an id stands for, shipped
    ids aside, and `broken` the ids of those winners that can't be used."""

    listed: tuple[Listed, ...]
    raw_by_id: Mapping[str, Mapping[str, Any]]
    winners: Mapping[str, TemplateFile]
    broken: frozenset[str]
    sound: Mapping[tuple[str, ...], Sound]
    """By the revisions of the files that a template is resolved from."""

    def raw(self, template_id: str) -> Mapping[str, Any]:
        """Raises `NotFound`, and `InvalidTemplate` with every problem of the file that has this id."""
        self.shown(template_id)
        return self.raw_by_id[template_id]

    def resolved(self, template_id: str) -> Template:
        """Raises what `raw` raises."""
        self.shown(template_id)
        return thaw(resolve(template_id, self.raw_by_id, self.broken))

    def as_if_saved(self, template_id: str, raw: Mapping[str, Any]) -> Template:
        """What this JSON object would resolve to under the id. Raises `InvalidTemplate`."""
        findings = self.check(raw, template_id)
        if findings.errors:
            raise InvalidTemplate(template_id, findings.errors)
        return thaw(resolve(template_id, {**self.raw_by_id, template_id: raw}))

    def chain(self, template_id: str) -> tuple[str, ...]:
        """The ids from the template up to its root. Raises what `raw` raises."""
        self.shown(template_id)
        return lineage(template_id, self.raw_by_id, self.broken)

    def shown(self, template_id: str) -> Listed:
        """The one that the id stands for. Raises what `raw` raises."""
        for listed in self.listed:
            if listed.id == template_id and listed.hidden_by is None:
                if listed.errors:
                    raise InvalidTemplate(template_id, listed.errors)
                return listed
        raise NotFound(unknown(template_id, (*self.raw_by_id, *self.broken)))

    def source(self, template_id: str) -> Source:
        return Source.SHIPPED if template_id in shipped() else self.winners[template_id].source

    def children(self, template_id: str) -> tuple[str, ...]:
        """The ids that extend this one directly, broken ones too as far as they say so."""
        contents = {id: file.content for id, file in self.winners.items()}
        return tuple(
            sorted(
                id
                for id, content in contents.items()
                if isinstance(content, Mapping) and content.get("extends") == template_id
            )
        )

    def check(self, raw: object, template_id: str | None = None) -> Findings:
        """What is wrong with a JSON value as a custom template. With `template_id`, as the one of that id."""
        return _check_custom(raw, template_id, self.raw_by_id, self.broken)


def library(files: Sequence[TemplateFile], more: MoreWarnings, before: Library | None = None) -> Library:
    """Of files of one id the last wins, also when it is broken: falling back in silence would run something
    else. What `before` has found sound isn't checked again."""
    winners = {file.id: file for file in files if file.id not in shipped()}
    raw_by_id = dict(shipped())
    for id, file in winners.items():
        content = file.content
        if is_id(id) and isinstance(content, Mapping) and content.get("id") == id and not file.misshapen:
            raw_by_id[id] = content
    broken = frozenset(winners) - frozenset(raw_by_id)
    listed = [_listed(id, raw, Source.SHIPPED) for id, raw in shipped().items()]
    known = before.sound if before is not None else {}
    sound: dict[tuple[str, ...], Sound] = {}
    for file in files:
        winner = winners.get(file.id)
        hidden_by = Source.SHIPPED if winner is None else None if winner is file else winner.source
        key = _revisions(file.id, raw_by_id, winners) if winner is file else ()
        found = known.get(key)
        errors: tuple[Problem, ...] = ()
        warnings: tuple[Problem, ...] = ()
        if found is None:
            findings = _check_file(file, raw_by_id, broken)
            errors, warnings = findings.errors, findings.warnings
            if key and not errors:
                found = Sound(template=thaw(resolve(file.id, raw_by_id)), warnings=warnings)
        if found is not None:
            sound[key] = found
            warnings = (*found.warnings, *more(found.template, file.source))
        listed.append(
            replace(
                _listed(file.id, file.content, file.source),
                path=file.path,
                revision=file.revision,
                errors=errors,
                warnings=warnings,
                hidden_by=hidden_by,
            )
        )
    return Library(listed=tuple(listed), raw_by_id=raw_by_id, winners=winners, broken=broken, sound=sound)


def _revisions(
    template_id: str, raw_by_id: Mapping[str, Mapping[str, Any]], winners: Mapping[str, TemplateFile]
) -> tuple[str, ...]:
    """Empty for what can't be resolved."""
    if template_id not in raw_by_id:
        return ()
    try:
        chain = lineage(template_id, raw_by_id)
    except InvalidTemplate:
        return ()
    return tuple(winners[id].revision if id in winners else id for id in chain)


def _check_file(
    file: TemplateFile, raw_by_id: Mapping[str, Mapping[str, Any]], broken: frozenset[str]
) -> Findings:
    if isinstance(file.content, Unreadable):
        return Findings(errors=(("", str(file.content)),))
    if not is_id(file.id):
        return Findings(errors=(("", f"a file is called after its template's id, which is {ID_RULE}"),))
    return _check_custom(file.content, file.id, raw_by_id, broken)


def _check_custom(
    raw: object,
    template_id: str | None,
    raw_by_id: Mapping[str, Mapping[str, Any]],
    broken: frozenset[str],
) -> Findings:
    said = raw.get("id") if isinstance(raw, Mapping) else None
    if isinstance(said, str) and said in shipped():
        sentence = f"{said} is reserved for the template that is shipped: choose another id"
        return Findings(errors=(("/id", sentence),))
    findings = check(raw, raw_by_id, broken - {said} if isinstance(said, str) else broken)
    if findings.errors or template_id is None or said == template_id:
        return findings
    sentence = f"must be {template_id}, the name of its file, not {said}: change either"
    return replace(findings, errors=(("/id", sentence),))


def _listed(template_id: str, raw: object, source: Source) -> Listed:
    """Only what has the right type is shown: the file may be broken anywhere."""
    found = raw if isinstance(raw, Mapping) else {}
    words = {
        key: found[key]
        for key in ("name", "description", "icon", "author", "version", "extends")
        if isinstance(found.get(key), str)
    }
    tags = found.get("tags")
    return Listed(
        id=template_id,
        source=source,
        tags=tuple(tag for tag in tags if isinstance(tag, str)) if isinstance(tags, list) else (),
        **words,
    )


@cache
def shipped() -> Mapping[str, Mapping[str, Any]]:
    """By id. Not checked here: the tests do that once for everybody, and every start would pay for it."""
    found = sorted(Path(__file__).with_name("shipped").glob("*.json"))
    raws = (msgspec.json.decode(path.read_bytes(), type=dict[str, Any]) for path in found)
    return {raw["id"]: raw for raw in raws}
