"""What every command needs: where things are, which agents there are, and how it ends."""

from __future__ import annotations

import getpass
import json
import os
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from bigtask.cli.completion import run_and_export_names, run_names
from bigtask.host.home import Home, RunFolder
from bigtask.sink import log_to_stderr
from bigtask.words import short

if TYPE_CHECKING:  # what takes long to import is imported where it is used: help pages have to be quick
    from bigtask.agents.table import AgentTable
    from bigtask.core.run import Run
    from bigtask.host.source import RunSource
    from bigtask.templates.manager import TemplateManager

EXIT_OK = 0
EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_WAITING = 3
EXIT_INTERRUPTED = 130

T = TypeVar("T")


@dataclass
class Frame:
    home: Home
    who: str
    """The person at the keyboard, as this system knows them."""

    @classmethod
    def from_environment(cls, verbosity: int) -> Frame:
        log_to_stderr(verbosity)
        return cls(home=Home.of(os.environ), who=_user())

    @property
    def author(self) -> str:
        """`who` with the surface, `ana@cli`, as it is recorded with an answer."""
        return f"{self.who}@cli"

    @cached_property
    def agents(self) -> AgentTable:
        from bigtask.agents.table import AgentTable

        return AgentTable()

    def templates(self, project: Path | None = None) -> TemplateManager:
        """The template manager, for the templates of the repository as well where a folder of it is named."""
        from bigtask.approvals import Approvals
        from bigtask.templates.manager import TemplateManager

        own = TemplateManager(user_dir=self.home.templates, approvals=Approvals(self.home.approvals))
        return own if project is None else own.in_project(project)

    def find(self, given: str) -> RunFolder:
        """Raises NotFound, and InvalidInput where runs can't be kept."""
        return self.home.find(given)

    def source(self, given: str) -> RunSource:
        """A run, or an export by its file name. Raises what `find` raises, InvalidInput and NewerSchema."""
        from bigtask.host.source import ExportSource, FolderSource

        return ExportSource(Path(given)) if given.endswith(".zip") else FolderSource(self.find(given))

    def name_of(self, folder: RunFolder) -> str:
        """The shortest name that `find` finds the run by: `last`, the end of its id, or all of it."""
        ids = [other.id for other in self.home.folders()]
        if ids and ids[0] == folder.id:
            return "last"
        end = short(folder.id)
        fits = [id for id in ids if id.startswith(end) or id.endswith(end)]
        return end if fits == [folder.id] else folder.id


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "person"


def carry_out(work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Runs a command's coroutine."""
    import asyncio

    return asyncio.run(work())


def print_json(value: Any) -> None:
    """One object on one line of stdout."""
    click.echo(json.dumps(value, ensure_ascii=False, separators=(", ", ": ")))


def exit_status(run: Run) -> int:
    """0 complete; 1 failed, incomplete or cancelled; 3 while a person is needed or the run is paused."""
    from bigtask.core.states import Outcome

    if run.outcome is Outcome.COMPLETE:
        return EXIT_OK
    return EXIT_FAILED if run.outcome is not None else EXIT_WAITING


run_argument = click.argument("run_id", metavar="RUN", shell_complete=run_names)
"""A run: its id, a unique part of it, or `last`."""

readable_argument = click.argument("run_id", metavar="RUN|FILE.zip", shell_complete=run_and_export_names)
"""A run, or the file that `bigtask export` made of one."""

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")

watch_option = click.option(
    "--watch", is_flag=True, help="Follow the run, also when another process carries it out."
)
