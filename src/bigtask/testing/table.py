"""Which agent shows what, as a table of Markdown. The suite skips what a class leaves out, and all else has
to pass."""

from __future__ import annotations

from collections.abc import Mapping

from bigtask.testing.behaviours import IN_WORDS
from bigtask.testing.conformance import AgentConformance


def conformance_table(suites: Mapping[str, type[AgentConformance]]) -> str:
    """`suites` by the names that stand above the columns. Ends with a line break."""
    rows = [("behaviour", *(f"`{name}`" for name in suites)), ("---", *("---" for _ in suites))]
    for behaviour, words in IN_WORDS.items():
        rows.append((words, *("–" if behaviour in suite.cannot else "✓" for suite in suites.values())))
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)
