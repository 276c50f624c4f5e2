"""docs/agents.md on the suite: its table is what the suite shows, and its example runs as it stands."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from agents.conformance_page import PAGE, written
from agents.test_conformance import SUITES
from bigtask.agents.table import AGENTS
from bigtask.testing import ANSWERS, BEHAVIOURS, IN_WORDS, conformance_table

TEXT = PAGE.read_text(encoding="utf-8")
(EXAMPLE,) = re.findall(r"```python\n# test_my_agent\.py\n(.*?)```", TEXT, flags=re.S)
MINE = """
from bigtask.agents.scripted.agent import ScriptedAgent
from bigtask.agents.scripted.script import script_of

class MyAgent(ScriptedAgent):
    def __init__(self, steps):
        once = {"when": {"turn": 1}} if steps and steps[-1]["do"] in ("crash", "exit") else {}
        turns = [{**once, "steps": list(steps)}] if steps else []
        super().__init__(script_of({"process": False, "turns": turns}))
"""
WRONG = """
Real = MyAgent

class MyAgent(Real):
    def __init__(self, steps):
        super().__init__([] if STEP in [step["do"] for step in steps] else steps)
"""
"""An agent that passes over one kind of step."""


def run(folder: Path, agent: str, *options: str) -> subprocess.CompletedProcess[str]:
    """The example on an agent, as somebody else's project runs it: no plugins, no settings of ours."""
    (folder / "my_agent.py").write_text(agent)
    (folder / "test_my_agent.py").write_text(EXAMPLE)
    (folder / "pytest.ini").write_text("[pytest]\n")
    env = {"PATH": os.environ["PATH"], "HOME": str(folder), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider", *options],
        cwd=folder,
        env=env,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_the_table_is_what_the_suite_shows() -> None:
    said = written(TEXT, conformance_table(SUITES))
    assert said == TEXT, "write it anew: python tests/agents/conformance_page.py"


def test_every_kind_of_agent_has_a_column_and_every_behaviour_a_line() -> None:
    assert SUITES.keys() == {*AGENTS, "scripted", "acp", "command"}
    assert IN_WORDS.keys() == {ANSWERS, *BEHAVIOURS}


@pytest.mark.integration
def test_the_example_runs_as_it_stands_and_skips_only_what_it_says(tmp_path: Path) -> None:
    done = run(tmp_path, MINE, "-rs")
    assert done.returncode == 0, done.stdout[-3000:]
    assert re.search(r"27 passed, 2 skipped", done.stdout), done.stdout[-3000:]


@pytest.mark.integration
@pytest.mark.parametrize(
    ("step", "test"),
    [
        ("usage", "test_usage_is_that_of_the_whole_session"),
        ("crash", "test_a_session_that_dies_is_lost_and_can_be_resumed"),
        ("ask", "test_a_permission_stands_still_until_it_is_answered"),
    ],
)
def test_an_agent_that_does_not_hold_is_found(tmp_path: Path, step: str, test: str) -> None:
    done = run(tmp_path, MINE + WRONG.replace("STEP", repr(step)))
    assert done.returncode == 1, done.stdout[-3000:]
    assert f"FAILED test_my_agent.py::TestMyAgent::{test}" in done.stdout
