"""The plan: tasks of roughly even size, each with the sources that it reads and the pages that it writes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from bigtask.agents.offline.order import INDEX_TASK, Order
from bigtask.agents.offline.overview import COVERAGE, INDEX, OBJECTS, counted
from bigtask.agents.offline.project import Source

_LINES_PER_TASK = 2_500
_FEWEST, _MOST = 6, 20
_MAX_ID = 48
_START_MINUTES = 0.02
_LINES_PER_MINUTE = 60_000


def task_count(sources: Sequence[Source], order: Order) -> int:
    """How many tasks write pages; the index is one more."""
    lines = sum(source.lines for source in sources)
    wanted = min(max(-(-lines // _LINES_PER_TASK), _FEWEST), _MOST)
    return max(1, min(wanted, order.max_tasks - 1, len(sources)))


def groups(sources: Sequence[Source], count: int) -> tuple[tuple[Source, ...], ...]:
    """At most `count` runs of neighbours, by name, of roughly even numbers of lines.

    A module's own weight has a floor, so that a hundred small files don't end in one task.
    """
    weights = [source.lines + 30 for source in sources]
    left = sum(weights)
    out: list[tuple[Source, ...]] = []
    start = 0
    while start < len(sources):
        share = left / (count - len(out))
        end, size = start + 1, weights[start]
        # The last part takes all that is left, because its share is exactly that.
        while end < len(sources) and size + weights[end] / 2 <= share:
            size += weights[end]
            end += 1
        if len(out) == count - 1:
            end, size = len(sources), left
        out.append(tuple(sources[start:end]))
        left -= size
        start = end
    return tuple(out)


def plan(sources: Sequence[Source], order: Order) -> list[dict[str, Any]]:
    """Tasks of the `task_list` block. `sources` are those that get a page."""
    tasks: list[dict[str, Any]] = []
    taken = {INDEX_TASK}
    # With room for one task only, there is nothing to run beside it: it writes pages and index.
    alone = order.max_tasks == 1
    for group in groups(sources, task_count(sources, order)) if sources else ():
        pages = [f"{order.docs_dir}/{source.page}" for source in group]
        names = [source.name for source in group]
        lines = sum(source.lines for source in group)
        what = names[0] if len(names) == 1 else f"{names[0]} to {names[-1]}"
        tasks.append(
            {
                "id": _task_id(names[0], taken),
                "title": f"Document {what} ({counted(len(names), 'module')})"
                if len(names) > 1
                else f"Document {what}",
                "description": f"Write one Markdown page for each of: {', '.join(names)}. "
                f"{counted(lines, 'line')} of source.",
                "scope": [*(source.path for source in group), *pages, *(_overview(order) if alone else ())],
                "priority": 3,
                "dependencies": [],
                "estimated_minutes": round(_START_MINUTES + lines / _LINES_PER_MINUTE, 2),
            }
        )
    if not (alone and tasks):
        tasks.append(
            {
                "id": INDEX_TASK,
                "title": "Write the index",
                "description": "Write the tree of modules, docstring coverage and the list of all objects."
                if tasks
                else "Write an index that says that there is no Python module here.",
                "scope": _overview(order) if tasks else [f"{order.docs_dir}/{INDEX}"],
                "priority": 5,
                "dependencies": [task["id"] for task in tasks],
                "estimated_minutes": round(_START_MINUTES + len(tasks) / 200, 2),
            }
        )
    return tasks


def _overview(order: Order) -> list[str]:
    return [f"{order.docs_dir}/{name}" for name in (INDEX, COVERAGE, OBJECTS)]


def _task_id(module: str, taken: set[str]) -> str:
    """`doc-rich-console`; matches `[a-z0-9][a-z0-9_-]{0,47}` and is free."""
    slug = re.sub(r"[^a-z0-9_]+", "-", module.lower()).strip("-") or "module"
    stem = f"doc-{slug}"[:_MAX_ID].rstrip("-_")
    name, number = stem, 1
    while name in taken:
        number += 1
        name = f"{stem[: _MAX_ID - len(str(number)) - 1]}-{number}"
    taken.add(name)
    return name
