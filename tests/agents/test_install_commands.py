"""An agent that isn't there is told with the one command that brings it, wherever somebody meets it."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path

import pytest

from bigtask.agents.acp.catalogue import known
from bigtask.agents.table import AGENTS
from bigtask.host.home import Home
from cli.terminal import Program
from projects import Desk, repository

pytestmark = pytest.mark.integration

ACP = "pip install 'bigtask[acp]'"
COMMANDS = {
    "claude": "pip install 'bigtask[claude]'",
    "claude-acp": f"npm install -g @agentclientprotocol/claude-agent-acp && {ACP}",
    "codex": f"npm install -g @agentclientprotocol/codex-acp && {ACP}",
    "gemini": f"npm install -g @google/gemini-cli && {ACP}",
    "opencode": f"npm install -g opencode-ai && {ACP}",
    "qwen": f"npm install -g @qwen-code/qwen-code && {ACP}",
    "vibe": f"pip install mistral-vibe && {ACP}",
}
WAYS = {**COMMANDS, "desktop": "open Claude Desktop"}
"""An application that a person opens isn't installed by a command of ours."""
NOBODY = "import sys\nsys.modules['claude_agent_sdk'] = sys.modules['acp'] = None\n"


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> tuple[Program, dict[str, str]]:
    """A machine with git and Python, and no agent of anybody."""
    folder = tmp_path_factory.mktemp("bare")
    (folder / "bin").mkdir()
    git = shutil.which("git")
    assert git is not None
    (folder / "bin" / "git").symlink_to(git)
    (folder / "lib").mkdir()
    (folder / "lib" / "sitecustomize.py").write_text(NOBODY)
    env = {
        "PATH": str(folder / "bin"),
        "PYTHONPATH": str(folder / "lib"),
        "HOME": str(folder),
        "BIGTASK_CONFIG": os.devnull,
        "COLUMNS": "2000",
        # Nothing listens there.
        "BIGTASK_DESKTOP_ENDPOINT": "http://127.0.0.1:9",
    }
    desk = Desk(Home(folder / "home"))
    desk.home.path.mkdir()
    return Program(repository(folder / "project"), desk), env


def test_the_table_of_this_test_has_every_agent_that_can_be_missing() -> None:
    assert WAYS.keys() == {*AGENTS, *known()} - {"offline"}
    assert Path(sys.executable).exists()


def test_the_list_of_agents_has_every_command(bare: tuple[Program, dict[str, str]]) -> None:
    program, env = bare
    said = program.apart("agents", env=env)
    found = json.loads(program.apart("agents", "--json", env=env).out)["agents"]
    assert {one["name"]: one["install"] for one in found if one["install"]} == COMMANDS
    for name, way in WAYS.items():
        (row,) = [line for line in said.out.splitlines() if line.strip(" │").split()[:1] == [name]]
        assert way in row
        assert not next(one for one in found if one["name"] == name)["usable"]


def test_the_doctor_has_every_command(bare: tuple[Program, dict[str, str]]) -> None:
    program, env = bare
    said = program.apart("doctor", env=env)
    for name, way in WAYS.items():
        (row,) = [line for line in said.out.splitlines() if line.split()[1:3] == ["agent", name]]
        assert way in row


@pytest.mark.parametrize("name", WAYS)
def test_a_run_that_wants_it_is_refused_with_the_command(
    bare: tuple[Program, dict[str, str]], name: str
) -> None:
    program, env = bare
    said = program.apart("run", "documentation", "Document it", "--agent", name, env=env)
    assert said.status != 0
    assert f"the agent {name} can't work here" in said.err
    assert WAYS[name] in said.err
    assert not list(program.desk.home.runs.glob("*"))
