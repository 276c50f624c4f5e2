"""The template files as they are now, and who is told when they have changed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from bigtask.errors import Forbidden, InvalidInput
from bigtask.templates.changes import EVENTS, changes
from bigtask.templates.folder import TemplateFolder
from bigtask.templates.library import Library, library
from bigtask.templates.listed import Listed, Source
from bigtask.templates.programs import hook_warnings
from bigtask.templates.shape import Problem, suggestion
from bigtask.templates.template import Template

Callback = Callable[[str, Listed], object]
"""Called with the event's name and the template that it is about."""


class LiveLibrary:
    """Files that haven't changed aren't read again."""

    def __init__(self, user_dir: Path | None, project_dir: Path | None) -> None:
        self.user = TemplateFolder(user_dir, Source.USER) if user_dir is not None else None
        self.project = TemplateFolder(project_dir, Source.PROJECT) if project_dir is not None else None
        self._library: Library | None = None
        self._mark: object | None = None
        self._callbacks: list[tuple[str, Callback]] = []

    def on(self, event: str, callback: Callback) -> Callable[[], None]:
        """`*` is every event. Returns what ends it. Raises InvalidInput for an unknown one."""
        if event not in (*EVENTS, "*"):
            raise InvalidInput(f"{event} isn't an event of templates{suggestion(event, EVENTS)}")
        entry = (event, callback)
        self._callbacks.append(entry)

        def off() -> None:
            with suppress(ValueError):
                self._callbacks.remove(entry)

        return off

    def forget(self) -> None:
        """Everything is read anew when it is asked for next."""
        self._mark = None

    def now(self) -> Library:
        """What has changed since the last call is told first."""
        mark = [folder.mark() for folder in self._folders()]
        if self._library is not None and None not in mark and mark == self._mark:
            return self._library
        before = self._library
        known = {(file.path, file.revision): file for file in before.winners.values()} if before else {}
        read = (file for folder in self._folders() for file in folder.read())
        files = [known.get((file.path, file.revision), file) if file.revision else file for file in read]
        self._library = library(files, self._hook_warnings, before)
        self._mark = mark
        now = self._library
        for event, listed in changes(before.listed if before is not None else None, now.listed):
            for wanted, callback in tuple(self._callbacks):
                if wanted in (event, "*"):
                    callback(event, listed)
        return now

    def _folders(self) -> tuple[TemplateFolder, ...]:
        return tuple(folder for folder in (self.user, self.project) if folder is not None)

    def folder(self, source: Source) -> TemplateFolder:
        """Raises InvalidInput where there is none."""
        folder = self.project if source is Source.PROJECT else self.user
        if folder is None:
            raise InvalidInput(f"there is no folder for the templates of the {source} here")
        return folder

    @contextmanager
    def writing(self, into: Source = Source.USER) -> Iterator[tuple[TemplateFolder, Library]]:
        """What is seen inside stays as it is until the end, as far as writers go through here."""
        if into is Source.SHIPPED:
            raise Forbidden("shipped templates can't be changed: create your own, which may extend them")
        folder = self.folder(into)
        with self.folder(Source.USER).alone():
            self.forget()
            yield folder, self.now()

    def _hook_warnings(self, template: Template, source: Source) -> tuple[Problem, ...]:
        root = self.project.path.parent.parent if self.project and source is Source.PROJECT else None
        return tuple(hook_warnings(template, root))
