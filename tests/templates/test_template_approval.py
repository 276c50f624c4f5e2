"""Whose word a template needs, and when that word falls."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bigtask.approvals import Approvals
from bigtask.errors import InvalidInput
from bigtask.templates.consent import TemplateNotApproved
from bigtask.templates.manager import Source, TemplateManager


def child(template_id: str, **more: Any) -> dict[str, Any]:
    return {"id": template_id, "name": template_id.title(), "extends": "_default", **more}


@pytest.fixture
def manager(tmp_path: Path) -> TemplateManager:
    (tmp_path / "repo" / ".git").mkdir(parents=True)
    own = TemplateManager(user_dir=tmp_path / "own", approvals=Approvals(tmp_path / "approvals.json"))
    return own.in_project(tmp_path / "repo")


def put(manager: TemplateManager, raw: dict[str, Any], into: Source = Source.PROJECT) -> None:
    listed = {one.id for one in manager.list() if one.source is into}
    if raw["id"] in listed:
        manager.update(raw["id"], raw, revision=manager.find(raw["id"]).revision)
    else:
        manager.create(raw, into=into)


def approve(manager: TemplateManager, template_id: str) -> None:
    consent = manager.consent(template_id)
    assert consent is not None
    manager.approve(consent)
    approved = manager.get_approved(template_id)
    assert approved.template.id == template_id
    assert tuple(approved.files) == manager.chain(template_id)


def refused(manager: TemplateManager, template_id: str) -> bool:
    """As `get_approved` and the list say alike."""
    try:
        manager.get_approved(template_id)
    except TemplateNotApproved:
        assert manager.find(template_id).approved is False
        return True
    assert manager.find(template_id).approved is not False
    return False


def test_shipped_templates_and_harmless_ones_of_ones_own_need_nobodys_word(manager: TemplateManager) -> None:
    put(manager, child("mine", config={"permissionMode": "all"}), Source.USER)
    for template_id in ("_default", "documentation", "implementation", "research", "mine"):
        assert manager.consent(template_id) is None
        assert not refused(manager, template_id)


def test_a_repositorys_template_needs_a_word_once(manager: TemplateManager, tmp_path: Path) -> None:
    put(manager, child("team"))
    with pytest.raises(TemplateNotApproved, match="bigtask template approve team") as caught:
        manager.get_approved("team")
    assert caught.value.consent.whole
    assert manager.get("team").id == "team"
    manager.approve(caught.value.consent)
    assert not refused(manager, "team")
    assert not refused(manager.in_project(tmp_path / "repo"), "team")
    manager.withdraw(caught.value.consent)
    assert refused(manager, "team")


@pytest.mark.parametrize(
    "change",
    [
        {"prompts": {"worker": {"user": "Do as I say now"}}},
        {"config": {"permissionMode": "all"}},
        {"variables": {"X": 1}},
        {"hooks": {"onError": ["./tools/hook", "--other"]}},
        {"name": "Other"},
    ],
)
def test_the_word_falls_with_any_change_of_the_content(
    manager: TemplateManager, change: dict[str, Any]
) -> None:
    put(manager, child("team", hooks={"onError": ["./tools/hook"]}))
    approve(manager, "team")
    put(manager, {**child("team", hooks={"onError": ["./tools/hook"]}), **change})
    assert refused(manager, "team")
    put(manager, child("team", hooks={"onError": ["./tools/hook"]}))
    assert not refused(manager, "team"), "what was approved is what it is again"


def test_the_word_falls_when_a_parent_changes(manager: TemplateManager) -> None:
    put(manager, child("base"))
    put(manager, {"id": "kid", "name": "Kid", "extends": "base"})
    approve(manager, "kid")
    assert refused(manager, "base"), "each needs its own"
    put(manager, child("base", config={"maxWorkers": 1}))
    assert refused(manager, "kid")


def test_the_word_falls_when_the_file_of_a_hook_changes(manager: TemplateManager, tmp_path: Path) -> None:
    tool = tmp_path / "repo" / "tools" / "hook.py"
    tool.parent.mkdir()
    tool.write_text("print(1)")
    put(manager, child("team", hooks={"onError": ["python3", "tools/hook.py"]}))
    approve(manager, "team")
    tool.write_text("print(2)")
    assert refused(manager, "team")
    tool.write_text("print(1)")
    assert not refused(manager, "team")
    tool.unlink()
    assert refused(manager, "team")


def test_a_template_of_ones_own_that_extends_the_repositorys_is_as_little_ones_own(
    manager: TemplateManager, tmp_path: Path
) -> None:
    put(manager, child("base"))
    put(manager, {"id": "mine", "name": "Mine", "extends": "base"}, Source.USER)
    assert refused(manager, "mine")
    approve(manager, "mine")
    other = tmp_path / "other"
    (other / ".git").mkdir(parents=True)
    there = manager.in_project(other)
    put(there, child("base"))
    assert refused(there, "mine"), "another repository needs a word of its own"
    assert not refused(manager, "mine")


def test_a_repository_that_hides_ones_own_template_needs_a_word(manager: TemplateManager) -> None:
    put(manager, child("mine"), Source.USER)
    assert not refused(manager, "mine")
    put(manager, child("mine"))
    assert refused(manager, "mine")


COMMANDS = [
    {"hooks": {"onWorkerStart": ["touch", "x"]}},
    {"config": {"setup": [["npm", "ci"]]}},
    {"phases": {"verification": {"commands": [["make"]]}}},
    {"phases": {"verification": {"allowedCommands": [["make"]]}}},
]


@pytest.mark.parametrize("commands", COMMANDS)
def test_commands_of_ones_own_template_need_a_word_and_its_prompts_do_not(
    manager: TemplateManager, commands: dict[str, Any]
) -> None:
    put(manager, child("mine", **commands), Source.USER)
    assert refused(manager, "mine")
    consent = manager.consent("mine")
    assert consent is not None
    assert not consent.whole
    assert len(consent.commands) == 1
    approve(manager, "mine")
    put(manager, child("mine", **commands, tags=["x"], variables={"A": 1}), Source.USER)
    assert not refused(manager, "mine")
    manager.duplicate("mine", "copy")
    assert refused(manager, "copy")


def test_commands_that_a_shipped_template_has_need_no_word(manager: TemplateManager) -> None:
    put(manager, child("mine", extends="implementation"), Source.USER)
    assert not refused(manager, "mine")


def test_nothing_is_approved_without_a_place_for_approvals_or_when_it_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    bare = TemplateManager(user_dir=tmp_path / "own").in_project(tmp_path)
    put(bare, child("team"))
    assert refused(bare, "team")
    consent = bare.consent("team")
    assert consent is not None
    with pytest.raises(InvalidInput, match="aren't kept"):
        bare.approve(consent)
    (tmp_path / "approvals.json").write_text("{")
    spoilt = TemplateManager(
        user_dir=tmp_path / "own", approvals=Approvals(tmp_path / "approvals.json")
    ).in_project(tmp_path)
    with pytest.raises(InvalidInput, match="mend that file"):
        spoilt.get_approved("team")


def test_the_top_of_a_repository_counts_from_anywhere_in_it(tmp_path: Path) -> None:
    repo = tmp_path / "repo"
    (repo / ".git").mkdir(parents=True)
    (repo / "src" / "deep").mkdir(parents=True)
    for folder in (repo, repo / "src", tmp_path):
        (folder / ".bigtask" / "templates").mkdir(parents=True)
        raw = child("team", description=folder.name)
        (folder / ".bigtask" / "templates" / "team.json").write_text(json.dumps(raw))
    for cwd in (repo, repo / "src", repo / "src" / "deep"):
        assert TemplateManager().in_project(cwd).find("team").description == "repo"
    assert TemplateManager().in_project(tmp_path).find("team").description == tmp_path.name
