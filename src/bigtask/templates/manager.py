"""The templates that there are: shipped with the package, the user's own, and the repository's."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any, Literal, overload

import msgspec

from bigtask.errors import InvalidTemplate
from bigtask.templates.checking import Findings, check
from bigtask.templates.inheritance import resolve
from bigtask.templates.reading import MAX_BYTES, Unreadable, parse
from bigtask.templates.shape import Problem, shape_problems
from bigtask.templates.template import Template, thaw


class Source(StrEnum):
    """Later ones win over earlier ones, except that shipped ids are reserved."""

    SHIPPED = "shipped"
    USER = "user"
    PROJECT = "project"


@dataclass(frozen=True, kw_only=True)
class Listed:
    """One template file as lists show it. It can be used when `errors` is empty and `hidden_by` is None.

    `id` is the file's name without `.json`. `path` is None for shipped ones.
    """

    id: str
    source: Source
    path: Path | None = None
    name: str = ""
    description: str = ""
    icon: str = ""
    author: str = ""
    version: str = ""
    tags: tuple[str, ...] = ()
    extends: str | None = None
    hidden_by: Source | None = None
    errors: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()


@dataclass(frozen=True, kw_only=True)
class _File:
    """`content` is a JSON value, or the `Unreadable` that reading it ended with."""

    source: Source
    path: Path
    content: object

    @property
    def id(self) -> str:
        return self.path.stem


@dataclass(frozen=True, kw_only=True)
class _Library:
    listed: tuple[Listed, ...]
    raw_by_id: Mapping[str, Mapping[str, Any]]


class TemplateManager:
    """Both directories hold one template a file, `ID.json`; either may be missing. A project's template wins
    over a user's of the same id, also when it is broken: falling back in silence would run something else.

    Files are read at the first use and again by `load_all`. Whether a repository's templates may be used at
    all is decided elsewhere, by their content: `Listed.source` and `Listed.path` tell which those are.
    """

    def __init__(self, *, user_dir: Path | None = None, project_dir: Path | None = None) -> None:
        self._user_dir = user_dir
        self._project_dir = project_dir
        self._loaded: _Library | None = None

    def load_all(self) -> tuple[Listed, ...]:
        """Every template file, the broken and the hidden ones too, by source and id. Never raises for what
        stands in a file."""
        self._loaded = self._read()
        return self._loaded.listed

    def list(self) -> tuple[Listed, ...]:
        return self._library().listed

    @overload
    def get(self, template_id: str, *, resolved: Literal[True] = True) -> Template: ...

    @overload
    def get(self, template_id: str, *, resolved: Literal[False]) -> dict[str, Any]: ...

    def get(self, template_id: str, *, resolved: bool = True) -> Template | dict[str, Any]:
        """The typed, resolved template, or the JSON object of its own file.

        Raises `NotFound`, and `InvalidTemplate` with every problem of the file that has this id.
        """
        library = self._library()
        for listed in library.listed:
            if listed.id == template_id and listed.hidden_by is None and listed.errors:
                raise InvalidTemplate(template_id, listed.errors)
        whole = resolve(template_id, library.raw_by_id)
        return thaw(whole) if resolved else copy.deepcopy(dict(library.raw_by_id[template_id]))

    def validate(self, raw: object) -> Findings:
        """What would be said against this JSON value if it were a custom template, without saving it."""
        return _check_custom(raw, self._library().raw_by_id)

    def _library(self) -> _Library:
        if self._loaded is None:
            self._loaded = self._read()
        return self._loaded

    def _read(self) -> _Library:
        return _library((*_files(self._user_dir, Source.USER), *_files(self._project_dir, Source.PROJECT)))


def _library(found: Sequence[_File]) -> _Library:
    shipped = _shipped()
    winners = {file.id: file for file in found if file.id not in shipped}
    own = {
        file.id: file.content
        for file in winners.values()
        if isinstance(file.content, Mapping) and file.content.get("id") == file.id
    }
    raw_by_id = {**shipped, **{key: raw for key, raw in own.items() if not shape_problems(raw)}}
    listed = [_listed(template_id, raw, Source.SHIPPED) for template_id, raw in shipped.items()]
    for file in found:
        findings = _check_file(file, raw_by_id)
        winner = winners.get(file.id)
        listed.append(
            replace(
                _listed(file.id, file.content, file.source),
                path=file.path,
                errors=findings.errors,
                warnings=findings.warnings,
                hidden_by=Source.SHIPPED if winner is None else None if winner is file else winner.source,
            )
        )
    return _Library(listed=tuple(listed), raw_by_id=raw_by_id)


def _check_file(file: _File, raw_by_id: Mapping[str, Mapping[str, Any]]) -> Findings:
    if isinstance(file.content, Unreadable):
        return Findings(errors=(("", str(file.content)),))
    findings = _check_custom(file.content, raw_by_id)
    said = file.content.get("id") if isinstance(file.content, Mapping) else None
    if findings.errors or said == file.id:
        return findings
    return replace(
        findings, errors=(("/id", f"must be {file.id}, the name of its file, not {said}: change either"),)
    )


def _check_custom(raw: object, raw_by_id: Mapping[str, Mapping[str, Any]]) -> Findings:
    said = raw.get("id") if isinstance(raw, Mapping) else None
    if isinstance(said, str) and said in _shipped():
        sentence = f"{said} is reserved for the template that is shipped: choose another id"
        return Findings(errors=(("/id", sentence),))
    return check(raw, raw_by_id)


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


def _files(directory: Path | None, source: Source) -> Iterator[_File]:
    if directory is None or not directory.is_dir():
        return
    for path in sorted(directory.glob("*.json")):
        if path.is_file():
            yield _File(source=source, path=path, content=_content(path))


def _content(path: Path) -> object:
    try:
        with path.open("rb") as file:
            # One byte over the bound is enough for `parse` to refuse it.
            return parse(file.read(MAX_BYTES + 1))
    except Unreadable as unreadable:
        return unreadable
    except OSError as error:
        return Unreadable(f"the file can't be read: {error.strerror}")


@cache
def _shipped() -> Mapping[str, Mapping[str, Any]]:
    """Not checked here: the tests do that once for everybody, and every start would pay for it."""
    found = sorted(Path(__file__).with_name("shipped").glob("*.json"))
    raws = (msgspec.json.decode(path.read_bytes(), type=dict[str, Any]) for path in found)
    return {raw["id"]: raw for raw in raws}
