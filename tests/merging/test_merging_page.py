"""docs/merging.md says what there is."""

from __future__ import annotations

import re
from pathlib import Path

from bigtask.core.checks import QUICK_MS, TOGETHER_MS
from bigtask.core.phases.conflicts import OPTIONS
from bigtask.templates.shape import schema
from bigtask.workspaces import names

PAGE = (Path(__file__).parents[2] / "docs" / "merging.md").read_text()


def test_every_answer_and_every_rule_has_its_row() -> None:
    rows = re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE)
    aggregation = schema()["properties"]["phases"]["properties"]["aggregation"]["properties"]
    rules = [rule for rule in aggregation["onConflict"]["enum"] if rule is not None]
    assert [row for row in rows if row in OPTIONS or row in rules] == [*rules, *OPTIONS]
    assert all(f"`{way}`" in PAGE for way in aggregation["combine"]["enum"] if way is not None)


def test_the_names_of_refs_are_those_that_are_used() -> None:
    for ref in (
        names.ref(names.integration_branch("run")),
        names.onto_ref("run", "task", 1),
        names.work_ref("run", "task", 1),
        names.trial_ref("run"),
        names.rescue_ref("run", "main", 1),
    ):
        told = ref.replace("/run", "/RUN").replace("/task", "/TASK").replace("/1", "/N")
        assert f"`{told}`" in PAGE, told


def test_the_figures_are_those_of_the_code() -> None:
    assert (QUICK_MS, TOGETHER_MS) == (60_000, 180_000)
    assert "longer than a minute" in PAGE
    assert "more than three minutes" in PAGE
