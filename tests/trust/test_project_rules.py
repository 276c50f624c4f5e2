"""What of a project counts for Claude Code, and that its digest changes with every byte of it."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from bigtask.agents.claude.project_rules import RULES, leads_to, says
from bigtask.host import project_rules
from bigtask.host.project_rules import CommitTree, FolderTree, Listing, listing
from bigtask.workspaces.source import examine
from projects import Project, repository

pytestmark = pytest.mark.integration

HOOKS = {"Stop": [{"matcher": "x", "hooks": [{"type": "command", "command": "sh tools/stop.sh 'a b'"}]}]}
FILES = {
    "CLAUDE.md": "See @docs/one.md, @../out.md and @/etc/passwd.\n",
    "docs/one.md": "More: @two.md\n",
    "docs/two.md": "Enough.\n",
    "docs/three.md": "Nobody names it.\n",
    "tools/stop.sh": "true\n",
    "src/CLAUDE.md": "Below.\n",
    "src/.claude/skills/s/run.sh": "true\n",
    ".claude/settings.json": json.dumps({"hooks": HOOKS}),
    ".mcp.json": json.dumps({"mcpServers": {"db": {"command": "./serve", "args": ["-x"]}}}),
    "serve": "#!/bin/sh\n",
    "code.py": "x = 1\n",
}
COUNT = {
    *("CLAUDE.md", "docs/one.md", "docs/two.md", "tools/stop.sh", "src/CLAUDE.md", ".mcp.json", "serve"),
    *("src/.claude/skills/s/run.sh", ".claude/settings.json"),
}


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return repository(tmp_path / "project", FILES)


async def of_folder(top: Path) -> Listing:
    return await listing(await FolderTree.of(top), RULES)


async def of_commit(project: Project, commit: str = "HEAD") -> Listing:
    source = await examine(project.root)
    return await listing(await CommitTree.of(source.git, project.git("rev-parse", commit)), RULES)


async def test_a_folder_and_its_commit_bring_the_same(project: Project) -> None:
    here, there = await of_folder(project.root), await of_commit(project)
    assert {file.path for file in here.brought} == COUNT
    assert here == there
    assert here.firm


@pytest.mark.parametrize("path", sorted(COUNT))
async def test_a_byte_more_is_another_content(project: Project, path: str) -> None:
    before = (await of_folder(project.root)).digest
    file = project.root / path
    file.write_bytes(file.read_bytes() + b"\n")
    assert (await of_folder(project.root)).digest != before


async def test_a_file_that_comes_or_goes_is_another_content_and_others_do_not_count(project: Project) -> None:
    before = (await of_folder(project.root)).digest
    (project.root / "code.py").write_text("y = 2\n")
    (project.root / "docs/three.md").unlink()
    assert (await of_folder(project.root)).digest == before
    (project.root / "src/CLAUDE.md").rename(project.root / "src/AGENTS.md")
    gone = (await of_folder(project.root)).digest
    (project.root / ".claude/agents").mkdir()
    (project.root / ".claude/agents/a.md").write_text("")
    assert len({before, gone, (await of_folder(project.root)).digest}) == 3


async def test_links_count_with_where_they_lead(project: Project) -> None:
    (project.root / "AGENTS.md").symlink_to("docs/three.md")
    shutil.move(project.root / ".claude", project.root / "shared")
    (project.root / ".claude").symlink_to("shared")
    project.git("add", "-A")
    project.git("commit", "-qm", "links")
    here = await of_folder(project.root)
    assert here == await of_commit(project)
    assert here.firm
    assert {"AGENTS.md", "docs/three.md", ".claude", "shared/settings.json"} <= {f.path for f in here.brought}
    (project.root / "docs/three.md").write_text("Now it counts.\n")
    assert (await of_folder(project.root)).digest != here.digest


@pytest.mark.parametrize("target", ["/etc/passwd", "../outside.md", "nowhere", "."])
async def test_what_a_link_leads_out_to_can_not_be_approved(project: Project, target: str) -> None:
    (project.root.parent / "outside.md").write_text("x")
    (project.root / "AGENTS.md").symlink_to(target)
    found = await of_folder(project.root)
    assert not found.firm
    assert "can't be approved" in next(f.what[0] for f in found.brought if f.path == "AGENTS.md")


async def test_what_is_no_file_or_too_long_can_not_be_approved(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.mkfifo(project.root / "docs/CLAUDE.md")
    assert not (await of_folder(project.root)).firm
    (project.root / "docs/CLAUDE.md").unlink()
    monkeypatch.setattr(project_rules, "_MOST_BYTES", 5)
    assert not (await of_folder(project.root)).firm
    assert not (await of_commit(project)).firm


async def test_too_much_of_it_can_not_be_approved(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(project_rules, "_MOST_FOUND", 8)
    assert not (await of_folder(project.root)).firm


async def test_what_the_main_checkout_adds_counts_where_it_differs(project: Project, tmp_path: Path) -> None:
    worktree = tmp_path / "worktree"
    project.git("worktree", "add", "-q", str(worktree))
    tree = await FolderTree.of(worktree)
    before = await listing(tree, RULES, project.root)
    assert before == await listing(tree, RULES)
    agents = project.root / ".claude" / "agents"
    agents.mkdir()
    (agents / "a.md").write_text("x")
    after = await listing(tree, RULES, project.root)
    assert {f.path for f in after.brought} - COUNT == {f".claude/agents/a.md in {project.root}"}
    assert after.firm
    (agents / "b.md").symlink_to("a.md")
    assert not (await listing(tree, RULES, project.root)).firm


SETTINGS = {
    "hooks": HOOKS,
    "apiKeyHelper": "get-key",
    "statusLine": {"type": "command", "command": "line"},
    "subagentStatusLine": "odd",
    "env": {"ANTHROPIC_BASE_URL": "http://elsewhere"},
    "permissions": {"allow": ["Bash(*)"], "defaultMode": "acceptEdits"},
    "enabledPlugins": {"p@m": True},
    "model": "x" * 300,
}


def test_settings_say_what_they_would_do() -> None:
    assert says(".claude/settings.json", json.dumps(SETTINGS)) == (
        "runs at Stop: `sh tools/stop.sh 'a b'`",
        "apiKeyHelper runs `get-key`",
        "statusLine runs `line`",
        "subagentStatusLine runs `odd`",
        "sets in Claude's environment: ANTHROPIC_BASE_URL",
        'permissions.allow: `["Bash(*)"]`',
        "permissions.defaultMode: `acceptEdits`",
        'switches plugins on or off: `{"p@m":true}`',
        f"sets model: `{'x' * 160}…`",
    )


@pytest.mark.parametrize(
    ("path", "text", "said"),
    [
        ("CLAUDE.md", "a\nb\n", "instructions, 2 lines"),
        ("sub/AGENTS.md", "a", "instructions, 1 line"),
        (
            ".mcp.json",
            '{"mcpServers": {"x": {"url": "https://there"}}}',
            "the tool server x: `https://there`",
        ),
        (".mcp.json", '{"mcpServers": {"x": 1}}', "the tool server x: `?`"),
        (".mcp.json", "{}", "no tool server"),
        (".mcp.json", "nonsense", "no tool server"),
        (".claude/settings.json", "{}", "settings without an effect"),
        (".claude/settings.local.json", "[1]", "settings that can't be read here"),
        ("a/.claude/settings.json", '{"hooks": [1], "env": 1}', "sets env: `1`"),
        (".claude/agents/a.md", "x", "an agent that Claude may hand work to"),
        (".claude/output-styles/o.md", "x", "a style, which is part of what Claude is told"),
        (".claude/notes.txt", "x", "a file beside the settings"),
        ("tools/x.sh", "x", "a file that the others name"),
        (".claude/settings.json", '{"hooks": ' + "[" * 900 + "]" * 900 + "}", "settings without an effect"),
    ],
)
def test_any_text_says_something(path: str, text: str, said: str) -> None:
    assert says(path, text) == (said,)
    leads_to(path, text)


@pytest.mark.parametrize(
    ("path", "text", "named"),
    [
        ("CLAUDE.md", "@a.md and mail ada@b.md `@code`", {"a.md"}),
        ("sub/CLAUDE.md", "@../a.md @b.md @../../out @~/home.md", {"a.md", "sub/b.md"}),
        (
            ".claude/settings.json",
            '{"apiKeyHelper": "${CLAUDE_PROJECT_DIR}/k.sh; ./l.sh>out"}',
            {"k.sh", "l.sh"},
        ),
        (".claude/settings.json", '{"statusLine": {"command": "\\"$CLAUDE_PROJECT_DIR\\"/s.sh"}}', {"s.sh"}),
        ("tools/x.sh", "@a.md", set()),
    ],
)
def test_what_a_file_names_is_found(path: str, text: str, named: set[str]) -> None:
    assert named <= set(leads_to(path, text))
