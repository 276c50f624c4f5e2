"""The five phases. Each is a generator of session events; between two of them a turn can be interrupted."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path, PurePosixPath
from typing import Any

from bigtask.agents.offline.block import block, said
from bigtask.agents.offline.check import anchors, check_index, check_links, check_objects, read_pages
from bigtask.agents.offline.coverage import Tally, tally
from bigtask.agents.offline.definitions import Module, Unreadable
from bigtask.agents.offline.names import Names
from bigtask.agents.offline.order import INDEX_TASK, Order, read_order
from bigtask.agents.offline.overview import (
    COVERAGE,
    INDEX,
    OBJECTS,
    counted,
    overview_pages,
    percent,
    totals,
)
from bigtask.agents.offline.page import module_page, unreadable_page
from bigtask.agents.offline.project import Project, Source, find_sources
from bigtask.agents.offline.split import plan, task_count
from bigtask.agents.protocol import Prompt, SessionEvent, Text, ToolCall, ToolKind
from bigtask.errors import InvalidInput

_MAX_LISTED = 200
"""Entries of one kind in an answer: a block is at most 1 MiB."""


def answer(prompt: Prompt, root: Path, *, read_only: bool = False) -> Iterator[SessionEvent]:
    """With `read_only` a page that is asked for fails, and nothing is written.

    Raises `InvalidInput` for a phase that nobody knows."""
    if prompt.phase not in {"analysis", "taskPlanning", "workerExecution", "aggregation", "verification"}:
        raise InvalidInput(
            f"the offline agent doesn't know the phase {prompt.phase[:40]}: ask for another agent"
        )
    try:
        order = read_order(prompt.variables)
    except InvalidInput as error:
        yield from _refuse(prompt, error.message)
        return
    project = find_sources(root, order)
    turn = _Turn(prompt, order, project, read_only=read_only)
    if prompt.phase == "analysis":
        yield from turn.analysis()
    elif prompt.phase == "taskPlanning":
        yield from turn.planning()
    elif prompt.phase == "workerExecution":
        yield from turn.work()
    elif prompt.phase == "aggregation":
        yield from turn.aggregation()
    else:
        yield from turn.verification()


def _refuse(prompt: Prompt, why: str) -> Iterator[SessionEvent]:
    data: dict[str, Any]
    if prompt.phase == "workerExecution":
        task = str(prompt.variables.get("TASK_ID") or "")
        phase, data = "completion", {"task_id": task, "status": "failed", "error": why, "summary": why}
    elif prompt.phase == "analysis":
        phase, data = "analysis", {"summary": why, "recommended_splits": 1, "warnings": [why]}
    elif prompt.phase == "taskPlanning":
        raise InvalidInput(why)
    else:
        phase, data = prompt.phase, {"status": "failed", "summary": why}
    yield Text(text=f"{said(why)}\n\n")
    yield Text(text=block(phase, data, prompt.nonce))


class _Turn:
    def __init__(self, prompt: Prompt, order: Order, project: Project, *, read_only: bool) -> None:
        self._nonce = prompt.nonce
        self._order = order
        self._project = project
        self._read_only = read_only
        self._names = Names(project)

    def _block(self, phase: str, data: Mapping[str, Any]) -> Text:
        return Text(text=block(phase, data, self._nonce))

    def _read(self) -> Iterator[ToolCall]:
        for source in self._project.sources:
            self._names.read(source)
            yield _tool(ToolKind.READ, source.path)

    def _pages(self) -> list[Source]:
        return [source for source in self._project.sources if self._names.has_page(source)]

    def analysis(self) -> Iterator[SessionEvent]:
        yield Text(text="I look for Python modules.\n")
        yield from self._read()
        sources = self._pages()
        if not sources:
            why = "There is no importable Python module in this project, so there is nothing to document."
            data: dict[str, Any] = {
                "summary": why,
                "recommended_splits": 1,
                "estimated_complexity": "low",
                "key_files": [],
                "components": [],
                "warnings": [why, *self._project.warnings],
            }
            yield Text(text=f"{why}\n\n")
            yield self._block("analysis", data)
            return
        read = [self._names.read(source) for source in sources]
        total = sum((tally(module) for module in read if isinstance(module, Module)), Tally())
        lines = sum(source.lines for source in sources)
        summary = (
            f"{self._order.project}: {totals(total)} in {counted(lines, 'line')} of Python. "
            f"{percent(total)} of {counted(total.objects, 'public object')} have a docstring."
        )
        unreadable = [module for module in read if isinstance(module, Unreadable)]
        warnings = [
            *(f"{module.source.path} {module.problem}" for module in unreadable),
            *self._project.warnings,
            *self._language(),
        ]
        yield Text(text=f"{said(summary)}\n\n")
        yield self._block(
            "analysis",
            {
                "summary": summary,
                "recommended_splits": task_count(sources, self._order) + 1,
                "estimated_complexity": "low" if lines < 5_000 else "medium" if lines < 50_000 else "high",
                "key_files": [each.path for each in sources if each.package][:50] or [sources[0].path],
                "components": self._components(sources),
                "notes": f"Pages go to {self._order.docs_dir}. The text is that of the docstrings.",
                "warnings": warnings[:_MAX_LISTED],
            },
        )

    def _language(self) -> list[str]:
        if self._order.language.lower().split("-")[0].split("_")[0] in {"en", "english", ""}:
            return []
        return [
            f"docstrings stay as they are, not in {self._order.language}: the offline agent doesn't translate"
        ]

    def _components(self, sources: list[Source]) -> list[dict[str, Any]]:
        found: dict[str, list[Source]] = {}
        for source in sources:
            parts = source.name.split(".")
            owner = (
                ".".join(parts[:2]) if len(parts) > 2 or (len(parts) == 2 and source.package) else parts[0]
            )
            found.setdefault(owner, []).append(source)
        return [
            {"name": name, "modules": len(group), "lines": sum(each.lines for each in group)}
            for name, group in sorted(found.items())
        ][:_MAX_LISTED]

    def planning(self) -> Iterator[SessionEvent]:
        yield Text(text="I share the modules out by their lines of source.\n\n")
        # Only modules with a private name are read: the others have a page in any case.
        tasks = plan(self._pages(), self._order)
        yield self._block("task_list", {"tasks": tasks, "total_tasks": len(tasks)})

    def work(self) -> Iterator[SessionEvent]:
        order = self._order
        scope = {entry.removeprefix("./") for entry in order.scope}
        overview = order.task_id == INDEX_TASK or f"{order.docs_dir}/{INDEX}" in scope
        sources = [source for source in self._pages() if _covers(scope, source.path)]
        problem = self._obstacle()
        if not problem and not sources and not overview:
            problem = (
                f"the scope of task {order.task_id} names no Python module: give source files or directories"
            )
        if problem:
            yield from self._failed(problem)
            return
        yield Text(text=f"I write {counted(len(sources) + (3 if overview else 0), 'page')}.\n\n")
        written: list[str] = []
        total = Tally()
        warnings: list[str] = []
        for done, source in enumerate(sources):
            yield self._progress(done, len(sources), f"documenting {source.name}")
            yield _tool(ToolKind.READ, source.path)
            module = self._names.read(source)
            if isinstance(module, Module):
                text = module_page(module, self._names, order)
                total += tally(module)
            else:
                text = unreadable_page(module, order)
                warnings.append(f"{source.path} {module.problem}")
            written.append(self._write(source.page, text))
            yield _tool(ToolKind.WRITE, written[-1])
        if overview:
            yield self._progress(len(sources), len(sources) + 1, "writing the index")
            yield from self._read()
            for name, text in overview_pages(self._pages(), self._names, order).items():
                written.append(self._write(name, text))
                yield _tool(ToolKind.WRITE, written[-1])
        summary = f"{counted(len(written), 'page')} written"
        if total.objects:
            summary += f": {totals(total)}; {percent(total)} have a docstring"
        yield Text(text=f"{said(summary)}.\n\n")
        yield self._block(
            "completion",
            {
                "task_id": order.task_id,
                "status": "success",
                "summary": summary,
                "output_files": written,
                "warnings": warnings[:_MAX_LISTED],
                "metrics": asdict(total),
            },
        )

    def _progress(self, done: int, total: int, action: str) -> Text:
        return self._block(
            "progress",
            {
                "task_id": self._order.task_id,
                "status": "in_progress",
                "progress_percent": done * 100 // total if total else 0,
                "current_action": action,
                "files_processed": done,
                "files_total": total,
            },
        )

    def _failed(self, why: str) -> Iterator[SessionEvent]:
        yield Text(text=f"{said(why)}\n\n")
        data = {"task_id": self._order.task_id, "status": "failed", "error": why, "summary": why}
        yield self._block("completion", data)

    def _obstacle(self) -> str:
        """Why no page can be written, or nothing. Creates the directory."""
        if self._read_only:
            return f"nothing can be written to {self._order.docs_dir}: the session may only read"
        folder = self._project.root / self._order.docs_dir
        if not folder.resolve().is_relative_to(self._project.root.resolve()):
            return f"DOCS_DIR {self._order.docs_dir} leads out of the project: choose a directory inside it"
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            return f"{self._order.docs_dir} can't be created: {error.strerror}"
        return ""

    def _write(self, name: str, text: str) -> str:
        """A page appears whole or not at all: a killed child leaves no half of one."""
        folder = self._project.root / self._order.docs_dir
        handle, path = tempfile.mkstemp(dir=folder, prefix=".page-")
        try:
            with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace", newline="\n") as file:
                file.write(text)
            Path(path).chmod(0o644)
            Path(path).replace(folder / name)
        except BaseException:
            Path(path).unlink(missing_ok=True)
            raise
        return f"{self._order.docs_dir}/{name}"

    def aggregation(self) -> Iterator[SessionEvent]:
        yield Text(text="I count the merged pages.\n")
        pages = read_pages(self._project.root, self._order)
        sources = [source for source in self._pages() if source.page in pages]
        total = Tally()
        for source in sources:
            module = self._names.read(source)
            yield _tool(ToolKind.READ, f"{self._order.docs_dir}/{source.page}")
            if isinstance(module, Module):
                total += tally(module)
        listed = {source.page for source in sources} | ({INDEX, COVERAGE, OBJECTS} & set(pages))
        found = sum(len(anchors(pages[source.page])) for source in sources)
        files = [f"{self._order.docs_dir}/{name}" for name in sorted(listed)]
        if not files:
            data = {"status": "failed", "summary": f"no page was found in {self._order.docs_dir}"}
        else:
            data = {
                "status": "success",
                "summary": f"{counted(len(files), 'page')}, {counted(total.objects, 'object')} "
                f"({counted(found, 'anchor')}), {percent(total)} documented",
            }
        yield Text(text=f"{said(data['summary'])}.\n\n")
        yield self._block("aggregation", {**data, "conflicts": [], "output_files": files})

    def verification(self) -> Iterator[SessionEvent]:
        yield Text(text="I follow every link and look for every public object.\n")
        pages = read_pages(self._project.root, self._order)
        for name in pages:
            yield _tool(ToolKind.READ, f"{self._order.docs_dir}/{name}")
        sources = self._pages()
        issues = [*check_links(pages, self._project.root, self._order)]
        issues += check_objects(sources, self._names, pages, self._order)
        issues += check_index(pages, self._order)
        rank = ("error", "warning", "info")
        issues.sort(key=lambda issue: rank.index(issue.severity))
        counts = {severity: sum(1 for issue in issues if issue.severity == severity) for severity in rank}
        status = "failed" if counts["error"] else "passed_with_warnings" if counts["warning"] else "passed"
        summary = (
            f"{counted(len(pages), 'page')} checked: {counted(counts['error'], 'error')}, "
            f"{counted(counts['warning'], 'warning')}, {counted(counts['info'], 'module')} with objects "
            "that lack a docstring"
        )
        yield Text(text=f"{said(summary)}.\n\n")
        listed = [asdict(issue) for issue in issues[:_MAX_LISTED]]
        yield self._block("verification", {"status": status, "summary": summary, "issues": listed})


def _covers(scope: set[str], path: str) -> bool:
    """Whether a scope names a file or a directory that it is in."""
    return path in scope or any(parent.as_posix() in scope for parent in PurePosixPath(path).parents)


def _tool(kind: ToolKind, path: str) -> ToolCall:
    return ToolCall(kind=kind, name=kind.value.capitalize(), path=path)
