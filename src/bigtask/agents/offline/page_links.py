"""Where a page leads: to other definitions of the project, and to the source."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from urllib.parse import quote

from bigtask.agents.offline.definitions import Module
from bigtask.agents.offline.inline import Link, plain
from bigtask.agents.offline.names import Names
from bigtask.agents.offline.project import Source

_NAME = re.compile(r"\"[^\"]*\"|'[^']*'|[A-Za-z_][\w.]*")


@dataclass(frozen=True)
class PageLinks:
    """The links of one module's page."""

    module: Module
    names: Names

    def within(self, scope: str) -> Link:
        """What finds names as they are seen in the definition with the path `scope`."""

        def link(written: str) -> str | None:
            target = self.names.find(written, self.module, scope)
            return self.local(target.href) if target else None

        return link

    def local(self, href: str) -> str:
        return href.removeprefix(self.module.source.page)


def source_href(source: Source, docs_dir: PurePosixPath, lines: tuple[int, int] | None = None) -> str:
    """Relative to a page, with the line anchors of code hosts."""
    path = quote(PurePosixPath(os.path.relpath(source.path, docs_dir)).as_posix())
    if lines is None:
        return path
    return f"{path}#L{lines[0]}" if lines[0] == lines[1] else f"{path}#L{lines[0]}-L{lines[1]}"


def linked_type(annotation: str, link: Link) -> str:
    """An annotation with its names linked, for a table cell."""
    text = annotation.strip()
    if len(text) > 2 and text[0] in "\"'" and text[-1] == text[0] and text[0] not in text[1:-1]:
        text = text[1:-1]
    text = " ".join(text.split())
    pieces = []
    position = 0
    for match in _NAME.finditer(text):
        word = match[0]
        quoted = word[0] in "\"'"
        href = link(word[1:-1] if quoted else word)
        shown_word = plain(word[1:-1] if quoted and href else word)
        pieces += [
            plain(text[position : match.start()]),
            f"[{shown_word}]({href})" if href else shown_word,
        ]
        position = match.end()
    return "".join([*pieces, plain(text[position:])])


def names_in(annotation: str) -> list[str]:
    """As they are written there, also those in quotes."""
    return [word.strip("\"'") for word in _NAME.findall(annotation)]
