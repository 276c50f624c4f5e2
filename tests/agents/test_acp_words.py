"""What an agent of the protocol tells, in bigtask's words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("acp", reason="the extra acp isn't installed")

from acp.schema import FileEditToolCallContent, ToolCallLocation, ToolCallProgress, ToolCallUpdate, Usage

from bigtask.agents.acp.agent import AcpAgent
from bigtask.agents.acp.bill import Bill
from bigtask.agents.acp.catalogue import known
from bigtask.agents.acp.tool_calls import ToolCalls
from bigtask.agents.protocol import ToolCall, ToolKind, UsageReported
from bigtask.configuration.agent_definitions import AcpDefinition


def bill(usage: Any, cost: Any = "session") -> Bill:
    definition = AcpDefinition(argv=("x",), usage=usage, cost=cost)
    return Bill(definition, UsageReported(input_tokens=100, output_tokens=10, cost_usd=1.0))


def tokens(taken: int, given: int, cached: int = 0) -> Usage:
    return Usage(
        input_tokens=taken, output_tokens=given, total_tokens=taken + given, cached_read_tokens=cached
    )


@pytest.mark.parametrize(
    ("usage", "taken", "given"),
    [
        ("turn", 100 + 12 + 20, 10 + 1 + 2),
        ("session", 100 + 20, 10 + 2),
        ("last", 132, 13),
        ("none", 100, 10),
    ],
)
def test_counts_are_taken_in_the_sense_that_the_agent_gives_them(usage: str, taken: int, given: int) -> None:
    one = bill(usage)
    one.turn(tokens(10, 1, cached=2))
    assert one.turn(tokens(20, 2)) == UsageReported(input_tokens=taken, output_tokens=given, cost_usd=1.0)


def test_a_cost_counts_on_in_a_session_that_is_continued_and_never_becomes_less() -> None:
    one = bill("none")
    assert one.cost(0.5, "USD").cost_usd == 1.5
    assert one.cost(0.2, "USD").cost_usd == 1.5
    assert one.cost(9.0, "EUR").cost_usd == 1.5
    assert bill("none", "none").cost(0.5, "USD").cost_usd == 1.0


def test_a_call_is_told_once_whatever_comes_first() -> None:
    calls = ToolCalls(Path("/w"))
    assert calls.learn(ToolCallUpdate(tool_call_id="1", title="Edit it")) is None
    update = ToolCallProgress(
        session_update="tool_call_update",
        tool_call_id="1",
        kind="edit",
        locations=[ToolCallLocation(path="/w/a/b.py")],
    )
    assert calls.learn(update) == ToolCall(kind=ToolKind.EDIT, name="Edit", detail="Edit it", path="a/b.py")
    assert calls.learn(update) is None
    assert calls.question("1") == "Edit a/b.py?"


@pytest.mark.parametrize(
    ("title", "kind", "ours"),
    [
        ("mcp__bigtask__report_answer", None, True),
        ("report_progress (bigtask MCP Server)", "other", True),
        ("ask_person", None, True),
        ("mcp__bigtask__report_answer", "execute", False),
        ("ask_person", "edit", False),
        ("mcp__bigtask__report_answer; rm -r x", None, False),
        ("mcp__other__report_answer", None, False),
    ],
)
def test_only_our_own_tools_need_no_word(title: str, kind: Any, ours: bool) -> None:
    calls = ToolCalls(Path("/w"))
    calls.learn(ToolCallUpdate(tool_call_id="1", title=title, kind=kind))
    assert calls.ours("1") is ours


def test_a_call_that_never_says_its_kind_is_told_when_it_is_over() -> None:
    calls = ToolCalls(Path("/w"))
    done = ToolCallProgress(
        session_update="tool_call_update", tool_call_id="1", title="x", status="completed"
    )
    assert calls.learn(done) == ToolCall(kind=ToolKind.OTHER, name="x", detail="x")


@pytest.mark.parametrize(
    ("path", "inside"),
    [("/w/a", True), ("a", True), ("/w/../etc/x", False), ("/etc/x", False), ("../x", False)],
)
def test_an_edit_is_inside_only_where_its_path_stays_in_the_workspace(path: str, inside: bool) -> None:
    calls = ToolCalls(Path("/w"))
    diff = FileEditToolCallContent(type="diff", path=path, new_text="x")
    calls.learn(ToolCallUpdate(tool_call_id="1", kind="edit", content=[diff]))
    assert calls.inside("1") is inside


def test_an_edit_through_a_link_that_leads_out_is_not_inside(tmp_path: Path) -> None:
    (tmp_path / "w").mkdir()
    (tmp_path / "w" / "out").symlink_to(tmp_path)
    calls = ToolCalls(tmp_path / "w")
    diff = FileEditToolCallContent(type="diff", path="out/x", new_text="x")
    calls.learn(ToolCallUpdate(tool_call_id="1", kind="edit", content=[diff]))
    assert not calls.inside("1")


def test_an_edit_that_names_no_path_is_not_inside() -> None:
    calls = ToolCalls(Path("/w"))
    calls.learn(ToolCallUpdate(tool_call_id="1", kind="edit", title="Trust me"))
    assert not calls.inside("1")


def test_a_command_is_asked_about_in_its_own_words() -> None:
    calls = ToolCalls(Path("/w"))
    given = {"command": ["rm", "-r", "x"]}
    calls.learn(ToolCallUpdate(tool_call_id="1", kind="execute", title="Clean up", raw_input=given))
    assert (calls.name("1"), calls.subject("1")) == ("Bash", "rm -r x")
    assert calls.question("1") == "Run rm -r x?"


@pytest.mark.parametrize("name", known())
def test_a_known_agent_that_is_missing_is_told_with_the_one_command_that_installs_it(
    name: str, tmp_path: Path
) -> None:
    definition = known()[name]
    found = AcpAgent(name, definition, {"PATH": str(tmp_path)}).availability()
    assert not found.usable
    assert found.detail.endswith(definition.install)
    assert definition.install.split()[1] == "install"
    assert "\n" not in definition.install
    assert definition.title
    assert set(definition.modes) == {"readOnly", "ask", "acceptEdits", "all"}
