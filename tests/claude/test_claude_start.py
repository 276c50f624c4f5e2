"""How Claude Code is started, and that nothing of it is loaded before."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from bigtask.agents.claude.agent import ClaudeAgent
from bigtask.agents.claude.answering import answering_to
from bigtask.agents.claude.command_line import command_line
from bigtask.agents.claude.environment import environment
from bigtask.agents.protocol import Opening, Prompt
from bigtask.agents.table import AGENTS
from bigtask.process import minimal_env
from claude.setting import PROMPT

ANALYSIS = Prompt(text="Look.", phase="analysis", variables={}, nonce="n")
ID = "5a8e1c3e-0000-4000-8000-000000000000"


def flags(prompt: Prompt = PROMPT, *, resumed: bool = False, **fields: object) -> dict[str, str]:
    """The options of the command line, with an empty value for those that have none."""
    opening = Opening(name="s", cwd=Path("/project"), **fields)
    argv = command_line(Path("/claude"), opening, answering_to(prompt), session_id=ID, resumed=resumed)
    assert argv[0] == "/claude"
    found: dict[str, str] = {}
    for word, following in zip(argv[1:], (*argv[2:], "--"), strict=True):
        if word.startswith("--"):
            name, joined, value = word.partition("=")
            found[name] = value if joined or following.startswith("--") else following
    return found


def test_looking_has_no_tool_that_changes_anything() -> None:
    for fields in ({"read_only": True}, {"permission_mode": "readOnly"}):
        found = flags(ANALYSIS, **fields)
        assert found["--tools"] == "Read,Grep,Glob,Agent"
        assert found["--permission-mode"] == "dontAsk"
        assert "--permission-prompt-tool" not in found


@pytest.mark.parametrize(
    ("mode", "theirs"), [("ask", "default"), ("acceptEdits", "acceptEdits"), ("all", "acceptEdits")]
)
def test_whoever_works_asks_us_for_what_its_mode_does_not_allow(mode: str, theirs: str) -> None:
    found = flags(permission_mode=mode)
    assert {"Write", "Edit", "Bash"} <= set(found["--tools"].split(","))
    assert found["--permission-mode"] == theirs
    assert found["--permission-prompt-tool"] == "stdio"
    assert found["--allowedTools"] == "mcp__bigtask"


def test_what_the_project_holds_for_agents_is_loaded_only_when_it_may_be() -> None:
    found = flags()
    assert found["--setting-sources"] == ""
    assert "--strict-mcp-config" in found
    trusted = flags(project_settings=True)
    assert trusted["--setting-sources"] == "project"
    assert "--strict-mcp-config" not in trusted


def test_model_effort_and_cap_are_handed_on() -> None:
    found = flags(model="opus", effort="high", budget_usd=0.5)
    assert (found["--model"], found["--effort"], found["--max-budget-usd"]) == ("opus", "high", "0.500000")
    assert not {"--model", "--effort", "--max-budget-usd"} & flags().keys()


def test_a_session_has_its_id_from_the_beginning_and_keeps_it() -> None:
    assert flags()["--session-id"] == ID
    resumed = flags(resumed=True)
    assert resumed["--resume"] == ID
    assert "--session-id" not in resumed


def test_work_is_reported_by_our_tool_and_all_else_by_a_schema() -> None:
    assert "--json-schema" not in flags()
    assert "report_completion" in flags()["--append-system-prompt"]
    for phase in ("analysis", "taskPlanning", "aggregation", "verification"):
        found = flags(Prompt(text="", phase=phase, variables={}, nonce="n"))
        assert json.loads(found["--json-schema"])["type"] == "object"
        assert "StructuredOutput" in found["--append-system-prompt"]


def test_a_tools_schema_has_no_conditions_at_its_top() -> None:
    """The Messages API refuses them there."""
    for phase in ("analysis", "taskPlanning", "workerExecution", "aggregation", "verification"):
        found = answering_to(Prompt(text="", phase=phase, variables={}, nonce="n")).schema
        assert not {"allOf", "anyOf", "oneOf"} & found.keys()


def test_the_environment_is_the_sessions_the_accounts_and_ours() -> None:
    opening = Opening(name="s", cwd=Path("/project"), env={"PATH": "/bin", "HOME": "/home/p"})
    found = environment(opening, {"ANTHROPIC_API_KEY": "k"}, sdk="0.2")
    ours = {name for name in found if name.startswith(("CLAUDE_", "DISABLE_"))}
    assert found.keys() - ours == {"PATH", "HOME", "ANTHROPIC_API_KEY", "PWD"}
    assert found["CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC"] == "1"
    assert found["CLAUDE_CODE_DISABLE_BACKGROUND_TASKS"] == "1"


def test_whoever_has_claude_gets_it_when_nobody_is_named() -> None:
    assert list(AGENTS) == ["claude", "desktop", "offline"]


def python(code: str, home: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=minimal_env({"HOME": str(home)}),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return done.stdout.strip()


def test_the_sdk_is_not_loaded_before_a_session_is_opened(tmp_path: Path) -> None:
    code = """
import sys
from bigtask.agents.table import AgentTable
AgentTable()["claude"].availability()
print(sorted({"claude_agent_sdk", "mcp", "pydantic"} & set(sys.modules)))
"""
    assert python(code, tmp_path) == "[]"


def test_without_the_extra_everything_says_how_to_get_it(tmp_path: Path) -> None:
    code = """
import asyncio, sys
sys.modules["claude_agent_sdk"] = None
from pathlib import Path
from bigtask.agents.protocol import Opening
from bigtask.agents.table import AgentTable
from bigtask.errors import AgentUnavailable
table = AgentTable()
print(table.first_usable().name)
print(table["claude"].availability().detail)
async def main():
    try:
        async with table["claude"].session(Opening(name="s", cwd=Path("/"))):
            pass
    except AgentUnavailable as error:
        print(error)
asyncio.run(main())
"""
    wanted = "Claude Code isn't installed: pip install 'bigtask[claude]'"
    assert python(code, tmp_path).split("\n") == ["offline", wanted, wanted]


def test_without_an_account_it_is_not_usable_and_says_what_to_do(tmp_path: Path) -> None:
    found = ClaudeAgent({"HOME": str(tmp_path)}).availability()
    assert not found.usable
    assert found.account is None
    assert found.program is not None
    assert Path(found.program).is_file()
    assert found.program not in found.detail
    with_key = ClaudeAgent({"HOME": str(tmp_path), "ANTHROPIC_API_KEY": "made-up-key"}).availability()
    assert "made-up-key" not in with_key.detail + (with_key.account or "")
