"""Whether the finished pages keep what they promise: links lead somewhere, every public object is there."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import unquote

from bigtask.agents.offline.coverage import undocumented
from bigtask.agents.offline.definitions import Module
from bigtask.agents.offline.names import Names
from bigtask.agents.offline.order import Order
from bigtask.agents.offline.project import Source

_LINK = re.compile(r"(?<!\\)\]\(<?([^()\s<>]+)>?\)")
_ANCHOR = re.compile(r'<a id="([^"]*)"></a>')
_FENCE = re.compile(r"[> ]*(`{3,})")
_SPAN = re.compile(r"(?<!\\)(`+)(?!`)(?:[^`]|(?!\1(?!`))`)*\1(?!`)")
_EXTERNAL = ("http://", "https://", "mailto:")
_LINES = re.compile(r"L\d+(-L\d+)?")


@dataclass(frozen=True, kw_only=True)
class Issue:
    """`location` is a path in the project, with a line where there is one."""

    severity: str
    description: str
    location: str
    suggested_fix: str


def read_pages(root: Path, order: Order) -> dict[str, str]:
    """File name → text of every page in the documentation directory."""
    folder = root / order.docs_dir
    if not folder.is_dir():
        return {}
    return {
        file.name: file.read_text(encoding="utf-8", errors="replace")
        for file in sorted(folder.iterdir())
        if file.suffix == ".md" and file.is_file() and not file.is_symlink()
    }


def anchors(page: str) -> frozenset[str]:
    return frozenset(name for _, line in _prose_lines(page) for name in _ANCHOR.findall(line))


def check_links(pages: Mapping[str, str], root: Path, order: Order) -> Iterator[Issue]:
    """Every link to a page, an anchor or a source file that doesn't exist."""
    known = {name: anchors(text) for name, text in pages.items()}
    folder = root / order.docs_dir
    exists: dict[str, bool] = {}
    for name, text in pages.items():
        for number, line in _prose_lines(text):
            for href in _LINK.findall(_SPAN.sub(lambda span: " " * len(span[0]), line)):
                if href.startswith(_EXTERNAL):
                    continue
                path, _, fragment = unquote(href).partition("#")
                page = path or name
                if page in known:
                    if not fragment or fragment in known[page]:
                        continue
                    problem = f"the link {href} leads to an anchor that isn't there"
                else:
                    if page not in exists:
                        exists[page] = (folder / page).exists()
                    if exists[page] and (not fragment or _LINES.fullmatch(fragment)):
                        continue
                    problem = f"the link {href} leads to nothing"
                written = page if page.endswith(".md") else name
                yield Issue(
                    severity="error",
                    description=problem,
                    location=f"{order.docs_dir}/{name}:{number}",
                    suggested_fix=f"write {written} again, or correct the link",
                )


def check_index(pages: Mapping[str, str], order: Order) -> Iterator[Issue]:
    if "index.md" not in pages:
        yield Issue(
            severity="error",
            description="there is no index",
            location=f"{order.docs_dir}/index.md",
            suggested_fix="run the task doc-index again",
        )


def check_objects(
    sources: Sequence[Source], names: Names, pages: Mapping[str, str], order: Order
) -> Iterator[Issue]:
    """Public objects that are on no page, as errors, and those without a docstring, as information."""
    for source in sources:
        location = (PurePosixPath(order.docs_dir) / source.page).as_posix()
        text = pages.get(source.page)
        if text is None:
            yield Issue(
                severity="error",
                description=f"the module {source.name} has no page",
                location=location,
                suggested_fix=f"write the page of {source.path}",
            )
            continue
        there = anchors(text)
        for path in names.anchors(source):
            if path not in there:
                yield Issue(
                    severity="error",
                    description=f"{path} is not on its module's page",
                    location=location,
                    suggested_fix=f"write the page of {source.path} again: the source is newer",
                )
        module = names.read(source)
        if not isinstance(module, Module):
            yield Issue(
                severity="warning",
                description=f"{source.path} {module.problem}",
                location=source.path,
                suggested_fix="mend the file and write its page again",
            )
            continue
        missing = undocumented(module)
        if missing:
            yield Issue(
                severity="info",
                description=f"{source.name}: {len(missing)} public objects have no docstring",
                location=f"{source.path}:{missing[0].first_line}",
                suggested_fix=f"explain {missing[0].path[len(source.name) + 1 :]} in its docstring first",
            )


def _prose_lines(text: str) -> Iterator[tuple[int, str]]:
    """Lines outside fenced blocks, with their numbers from 1."""
    closing = ""
    for number, line in enumerate(text.split("\n"), 1):
        fenced = _FENCE.match(line)
        if closing:
            if fenced and len(fenced[1]) >= len(closing) and line.strip("> ") == fenced[1]:
                closing = ""
        elif fenced and "`" not in line[fenced.end() :]:
            closing = fenced[1]
        else:
            yield number, line
