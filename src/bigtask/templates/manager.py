"""The templates that there are: shipped with the package, the user's own, and the repository's."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, overload

from bigtask.approvals import Approvals, Kind
from bigtask.errors import Conflict, Forbidden, InvalidInput, InvalidTemplate, NotFound, StaleRevision
from bigtask.templates.bundle import members
from bigtask.templates.checking import Findings
from bigtask.templates.consent import Consent, TemplateNotApproved, consent_for
from bigtask.templates.folder import TemplateFile
from bigtask.templates.identity import is_id, usable_id
from bigtask.templates.importing import Imported, Importing
from bigtask.templates.inheritance import unknown
from bigtask.templates.library import Library, shipped
from bigtask.templates.listed import Listed, Source
from bigtask.templates.live_library import Callback, LiveLibrary
from bigtask.templates.place import project_templates
from bigtask.templates.preview import Preview, preview
from bigtask.templates.reading import Unreadable, as_bytes, parse
from bigtask.templates.template import Template

__all__ = ["Imported", "Listed", "Preview", "Source", "TemplateManager", "TemplateNotApproved"]

Content = Mapping[str, Any] | bytes
"""A template as a JSON value, or as the text of its file, which is kept as its author wrote it."""


@dataclass(frozen=True, kw_only=True)
class Approved:
    """A template as it was approved, with the JSON objects that it was resolved from, by id: to ask for them
    again later could bring others. `hook_files` are the digests that were approved with it, of the project's
    files that its hooks name; None where they needed nobody's word."""

    template: Template
    files: Mapping[str, Mapping[str, Any]]
    hook_files: Mapping[str, str] | None


class TemplateManager:
    """Both directories hold one template a file, `ID.json`; either may be missing. A project's template wins
    over a user's of the same id, also when it is broken: falling back in silence would run something else.

    Every method sees the files as they are when it is called; what has changed since the last call is told to
    the callbacks first. Whoever writes needs `user_dir`, which also keeps writers apart. Ids are looked at
    before any file is: a method with a `template_id` raises InvalidInput for one that can't be.
    """

    def __init__(
        self,
        *,
        user_dir: Path | None = None,
        project_dir: Path | None = None,
        approvals: Approvals | None = None,
    ) -> None:
        """`project_dir` is the `.bigtask/templates` of a repository. Without `approvals`, nothing that needs
        one is approved."""
        self._live = LiveLibrary(user_dir, project_dir)
        self._user, self._project = self._live.user, self._live.project
        self._approvals = approvals

    def in_project(self, cwd: Path) -> TemplateManager:
        """Another manager, for the templates of the repository that `cwd` is in as well."""
        return TemplateManager(
            user_dir=self._user.path if self._user else None,
            project_dir=project_templates(cwd),
            approvals=self._approvals,
        )

    def on(self, event: str, callback: Callback) -> Callable[[], None]:
        """Calls `callback(event, template)` for `template:loaded`, `created`, `updated`, `deleted` or `error`
        (`*`: all of them), whoever has changed the files, at the next call of any method. Returns what ends
        it. Raises InvalidInput for an unknown event."""
        return self._live.on(event, callback)

    def load_all(self) -> tuple[Listed, ...]:
        """Every template file, the broken and the hidden ones too, by source and id, read anew. Never raises
        for what stands in a file."""
        self._live.forget()
        return self.list()

    def list(self) -> tuple[Listed, ...]:
        """The same; files that haven't changed aren't read again."""
        found = self._live.now()
        return tuple(self._with_approval(found, one) for one in found.listed)

    def find(self, template_id: str) -> Listed:
        """The one that the id stands for, broken or not. Raises `NotFound`."""
        found = self._live.now()
        for one in found.listed:
            if one.id == usable_id(template_id) and one.hidden_by is None:
                return self._with_approval(found, one)
        raise NotFound(unknown(template_id, (*found.raw_by_id, *found.broken)))

    @overload
    def get(self, template_id: str, *, resolved: Literal[True] = True) -> Template: ...

    @overload
    def get(self, template_id: str, *, resolved: Literal[False]) -> dict[str, Any]: ...

    def get(self, template_id: str, *, resolved: bool = True) -> Template | dict[str, Any]:
        """The typed, resolved template, or the JSON object of its own file, approved or not.

        Raises `NotFound`, and `InvalidTemplate` with every problem of the file that has this id.
        """
        found = self._live.now()
        if resolved:
            return found.resolved(usable_id(template_id))
        return copy.deepcopy(dict(found.raw(usable_id(template_id))))

    def chain(self, template_id: str) -> tuple[str, ...]:
        """The ids from the template up to its root. Raises what `get` raises."""
        return self._live.now().chain(usable_id(template_id))

    def get_approved(self, template_id: str) -> Approved:
        """What a run may use. Raises what `get` raises, and `TemplateNotApproved`."""
        found = self._live.now()
        template = found.resolved(usable_id(template_id))
        consent = self._consent(found, template_id)
        if consent is not None and not self._holds(consent):
            raise TemplateNotApproved(consent)
        return Approved(
            template=template,
            files={id: found.raw(id) for id in found.chain(template_id)},
            hook_files=consent.files if consent is not None and consent.whole else None,
        )

    def consent(self, template_id: str) -> Consent | None:
        """What a person has to approve before a run may use the template; None where nothing has to be.
        Raises what `get` raises."""
        return self._consent(self._live.now(), usable_id(template_id))

    def approve(self, consent: Consent) -> None:
        """For as long as the content stays what `consent` was made of. Raises InvalidInput where approvals
        can't be kept."""
        self._kept_approvals().approve(Kind.TEMPLATE, consent.path, consent.digest)

    def withdraw(self, consent: Consent) -> None:
        self._kept_approvals().withdraw(Kind.TEMPLATE, consent.path)

    def text(self, template_id: str) -> tuple[str, str]:
        """The text of a custom template's file, broken or not, and its revision. Raises `NotFound`,
        `Forbidden` for a shipped one, and InvalidInput where there is no text."""
        file = self._file(usable_id(template_id), self._live.now(), "edited")
        try:
            return file.data.decode("utf-8-sig"), file.revision
        except UnicodeDecodeError as error:
            raise InvalidInput(f"{file.path} isn't UTF-8 at byte {error.start}: save it as UTF-8") from None

    def validate(self, raw: object) -> Findings:
        """What would be said against this JSON value, or the text of a file as bytes, if it were a custom
        template, without saving it."""
        try:
            content, _ = _given(raw)
        except Unreadable as unreadable:
            return Findings(errors=(("", str(unreadable)),))
        return self._live.now().check(content)

    def preview(
        self,
        template_id: str,
        phase: str,
        variables: Mapping[str, Any] | None = None,
        *,
        unsaved: Mapping[str, Any] | None = None,
    ) -> Preview:
        """The prompt of a phase as an agent would get it, with sample values for what only a run knows.
        `phase` may be called after the prompt (`worker`), `unsaved` is looked at in place of what is saved.
        Raises what `get` raises, and InvalidInput for an unknown phase."""
        template = (
            self.get(template_id) if unsaved is None else self._live.now().as_if_saved(template_id, unsaved)
        )
        return preview(template, phase, variables or {})

    def create(self, content: Content, *, into: Source = Source.USER) -> Listed:
        """Raises `InvalidTemplate` with every problem, and `Conflict` where the id is taken."""
        with self._live.writing(into) as (folder, found):
            raw, data = _require_readable(content)
            template_id = _require_right(raw, found, None)
            taken = found.winners.get(template_id)
            if taken is not None and (taken.source is into or into is Source.USER):
                raise Conflict(
                    f"there is a template {template_id} already ({taken.path}): choose another id, "
                    f"or change that one with `bigtask template edit {template_id}`"
                )
            if folder.find(template_id) is not None:
                raise Conflict(f"{folder.path / template_id}.json exists already: choose another id")
            folder.write(template_id, data)
        return self._saved(template_id, into)

    def update(self, template_id: str, content: Content, *, revision: str) -> Listed:
        """`revision` is the one of the file that was read. Raises `StaleRevision` when it has been changed
        since, `InvalidTemplate` with every problem, `NotFound`, and `Forbidden` for a shipped one."""
        usable_id(template_id)
        with self._live.writing() as (_, found):
            file = self._file(template_id, found, "changed")
            folder = self._live.folder(file.source)
            _require_current(file, revision)
            raw, data = _require_readable(content, template_id)
            _require_right(raw, found, template_id)
            folder.write(template_id, data)
        return self._saved(template_id, file.source)

    def delete(self, template_id: str, *, revision: str) -> None:
        """Raises `StaleRevision`, `NotFound`, `Forbidden` for a shipped one, and `Conflict` while another
        template extends it."""
        usable_id(template_id)
        with self._live.writing() as (_, found):
            file = self._file(template_id, found, "deleted")
            _require_current(file, revision)
            beneath = (
                file.source is Source.PROJECT and self._user is not None and self._user.find(template_id)
            )
            children = [] if beneath else [id for id in found.children(template_id) if id != template_id]
            if children:
                raise Conflict(
                    f"{template_id} is extended by {', '.join(children)}: change or delete "
                    f"{'that one' if len(children) == 1 else 'those'} first"
                )
            self._live.folder(file.source).remove(template_id)
        self._live.now()

    def duplicate(
        self, template_id: str, new_id: str, *, name: str | None = None, into: Source = Source.USER
    ) -> Listed:
        """A copy of the template's own file under another id. Raises what `get` and `create` raise."""
        raw = self.get(template_id, resolved=False)
        usable_id(new_id)
        return self.create({**raw, "id": new_id, "name": name or f"{raw['name']} (copy)"}, into=into)

    def import_(
        self, data: bytes, *, replacing: bool = False, into: Source = Source.USER
    ) -> tuple[Imported, ...]:
        """The templates of a JSON object, a JSON array or a zip, each saved or refused on its own, parents
        first. With `replacing`, custom ones of the same id give way. Raises InvalidInput for what is no such
        file, or can't be kept."""
        try:
            found = members(data)
        except Unreadable as unreadable:
            raise InvalidInput(f"nothing can be imported: {unreadable}") from None

        def revision_of(template_id: str) -> str | None:
            taken = self._live.folder(into).find(template_id) if replacing else None
            return taken.revision if taken is not None else None

        importing = Importing(
            create=lambda text: self.create(text, into=into),
            update=lambda known, text, revision: self.update(known, text, revision=revision),
            revision_of=revision_of,
        )
        return tuple(importing.each(found))

    def export(self, template_ids: Sequence[str], *, resolved: bool = False) -> dict[str, dict[str, Any]]:
        """By id: the JSON object of the template's own file, or with everything that it inherits. Raises what
        `get` raises."""
        return {
            id: copy.deepcopy(dict(self.get(id).raw)) if resolved else self.get(id, resolved=False)
            for id in template_ids
        }

    def _saved(self, template_id: str, source: Source) -> Listed:
        self._live.forget()
        return next(one for one in self.list() if (one.id, one.source) == (template_id, source))

    def _file(self, template_id: str, found: Library, done: str) -> TemplateFile:
        if template_id in shipped():
            raise Forbidden(
                f"{template_id} is shipped and can't be {done}: copy it with "
                f"`bigtask template duplicate {template_id} NEW_ID`, or extend it"
            )
        file = found.winners.get(template_id)
        if file is None:
            raise NotFound(unknown(template_id, (*found.raw_by_id, *found.broken)))
        if file.problem is not None:
            raise InvalidInput(f"{file.path} can't be {done} here: {file.problem}")
        return file

    def _consent(self, found: Library, template_id: str) -> Consent | None:
        return consent_for(
            found,
            template_id,
            user_dir=self._user.path if self._user else None,
            project_dir=self._project.path if self._project else None,
        )

    def _with_approval(self, found: Library, one: Listed) -> Listed:
        if one.errors or one.hidden_by is not None or one.source is Source.SHIPPED:
            return one
        consent = self._consent(found, one.id)
        return one if consent is None else replace(one, approved=self._holds(consent))

    def _holds(self, consent: Consent) -> bool:
        kept = self._approvals
        return kept is not None and kept.holds(Kind.TEMPLATE, consent.path, consent.digest)

    def _kept_approvals(self) -> Approvals:
        if self._approvals is None:
            raise InvalidInput("approvals aren't kept here: give the manager a file for them")
        return self._approvals


def _given(content: object) -> tuple[object, bytes]:
    """The JSON value and the text of its file. What a program hands in passes the same bounds as a file.
    Raises `Unreadable`."""
    data = content if isinstance(content, bytes) else as_bytes(content)
    return parse(data), data


def _require_readable(content: Content, name: str = "without an id") -> tuple[object, bytes]:
    try:
        return _given(content)
    except Unreadable as unreadable:
        raise InvalidTemplate(name, [("", str(unreadable))]) from None


def _require_right(raw: object, found: Library, template_id: str | None) -> str:
    """The id. Raises `InvalidTemplate`."""
    said = raw.get("id") if isinstance(raw, Mapping) else None
    findings = found.check(raw, template_id)
    if findings.errors:
        raise InvalidTemplate(template_id or (str(said) if is_id(said) else "without an id"), findings.errors)
    return usable_id(said)


def _require_current(file: TemplateFile, revision: str) -> None:
    if revision != file.revision:
        raise StaleRevision(given=revision, current=file.revision)
