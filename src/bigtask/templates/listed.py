"""A template as lists show it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from bigtask.templates.shape import Problem


class Source(StrEnum):
    """Later ones win over earlier ones, except that shipped ids are reserved."""

    SHIPPED = "shipped"
    USER = "user"
    PROJECT = "project"


@dataclass(frozen=True, kw_only=True)
class Listed:
    """One template file. It can be used when `errors` is empty, `hidden_by` is None and `approved` isn't
    False.

    `id` is the file's name without `.json`. `path` is None for shipped ones, `revision` empty for them and
    for files that can't be read. `approved` is None where nobody has to be asked.
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
    revision: str = ""
    approved: bool | None = None
    hidden_by: Source | None = None
    errors: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()

    @property
    def usable(self) -> bool:
        return not self.errors and self.hidden_by is None and self.approved is not False
