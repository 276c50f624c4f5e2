"""A run from the form to its result, and what the form says of what can't be."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

from server.conftest import BASE, Workshop

from .conftest import Sitting
from .test_plan_editor import row, usable

if TYPE_CHECKING:
    from playwright.sync_api import Page

JOURNEY = {
    "tasks": [{"id": "left"}, {"id": "right"}, {"id": "extra"}],
    "turns": [
        {
            "when": {"task": "left"},
            "steps": [
                {"do": "ask", "question": "May I run `make all`?"},
                {"do": "write", "path": "shared.txt", "content": "left\n"},
                {"do": "answer", "data": {"status": "success", "summary": "Left is done."}},
            ],
        },
        {
            "when": {"task": "right"},
            "steps": [
                {"do": "write", "path": "shared.txt", "content": "right\n"},
                {"do": "answer", "data": {"status": "success", "summary": "Right is done."}},
            ],
        },
    ],
}


def filled(page: Page, shop: Workshop, agent: str) -> None:
    page.get_by_label("Project folder").fill(str(shop.project.root))
    page.get_by_text("A git repository").wait_for()
    page.get_by_role("radio", name="Tested").check()
    page.get_by_label("Request").fill("Do the work from the page")
    page.get_by_label("Another one by its name").fill(agent)


def test_from_the_form_over_plan_permission_and_conflict_to_the_merge(
    shop: Workshop, sitting: Sitting
) -> None:
    agent = shop.desk.script(JOURNEY)
    page = sitting.page()
    page.get_by_role("heading", name="Runs").wait_for()
    page.keyboard.press("n")
    filled(page, shop, agent)
    page.get_by_label("Workers at once").fill("2")
    page.get_by_role("button", name="Start the run").click()
    page.wait_for_url(re.compile(r"#/runs/[0-9a-z]{26}$"))
    id = page.url.rsplit("/", 1)[-1]
    page.get_by_role("link", name="Look at the plan, and change it").wait_for()
    page.keyboard.press("e")
    usable(page)
    page.get_by_role("button", name="Drop extra").click()
    row(page, "left")
    page.get_by_label("Title").fill("The left side")
    page.get_by_role("button", name="Save and start 2 tasks").click()
    page.wait_for_url(f"**/#/runs/{id}")
    page.get_by_text("May I run `make all`?").first.wait_for()
    page.get_by_role("button", name=re.compile("The left side, attempt 1: waits for you, key 1")).wait_for()
    page.keyboard.press("1")
    page.get_by_role("button", name="Allow", exact=True).click()
    # Both wrote the same file: whoever merges second asks whose lines stay.
    keeps = page.get_by_role("button", name=re.compile("^Keep "))
    keeps.first.wait_for()
    keeps.first.click()
    page.get_by_text(re.compile("^(Complete|Incomplete)$")).first.wait_for()
    page.get_by_role("link", name="Result", exact=True).click()
    page.get_by_role("button", name="Merge", exact=True).click()
    shop.server.wait_for(id, "orchestrator:merged")
    assert (shop.project.root / "shared.txt").read_text() in ("left\n", "right\n")
    plan = shop.server.get(f"{BASE}/{id}")["orchestrator"]["plan"]
    assert [task["id"] for task in plan["tasks"]] == ["left", "right"]


def test_everything_that_the_form_asks_arrives(shop: Workshop, sitting: Sitting) -> None:
    agent = shop.desk.script({"tasks": [{"id": "one"}]})
    page = sitting.page("#/new")
    filled(page, shop, agent)
    page.get_by_role("radio", name="Documentation Writes").check()
    page.get_by_label("Language").fill("fr")
    page.get_by_label("Include examples").uncheck()
    page.get_by_label("At most, in US dollars").fill("2.5")
    page.get_by_label("At most, in tokens").fill("400000")
    page.get_by_label("Minutes for one attempt").fill("12")
    page.get_by_label("Workers at once").fill("3")
    page.get_by_label("Model", exact=True).fill("small")
    page.get_by_label("Effort", exact=True).fill("low")
    page.get_by_label("Stand-ins").fill(f"offline, {agent}")
    page.get_by_text("Other agents or models for single phases").click()
    page.get_by_label("Agent for Verification").select_option("offline")
    page.get_by_label("Model for Work").fill("large")
    page.get_by_text("More", exact=True).click()
    page.get_by_label("Further instructions").fill("Be brief.")
    page.get_by_label("Start from").fill("HEAD")
    page.get_by_label("What agents may do").select_option("readOnly")
    page.get_by_label("What the project brings for agents").select_option("false")
    page.get_by_label("Where workers work").select_option("worktree")
    page.get_by_label("When the plan is made").select_option("false")
    page.get_by_role("button", name="Start the run").click()
    page.wait_for_url(re.compile(r"#/runs/[0-9a-z]{26}$"))
    id = page.url.rsplit("/", 1)[-1]
    created = shop.server.events(id)[0]["data"]
    settings = created["settings"]
    assert created["templateId"] == "documentation"
    assert created["request"] == "Do the work from the page"
    assert created["variables"] == {"LANGUAGE": "fr", "INCLUDE_EXAMPLES": False}
    wanted = {
        "agent": agent,
        "agentFor": {"verification": "offline"},
        "modelFor": {"workerExecution": "large"},
        "fallback": ["offline", agent],
        "model": "small",
        "effort": "low",
        "maxWorkers": 3,
        "workerTimeoutMs": 720_000,
        "maxBudgetUsd": 2.5,
        "maxTokens": 400_000,
        "base": "HEAD",
        "permissionMode": "readOnly",
        "projectRules": False,
        "customInstructions": "Be brief.",
    }
    assert {name: settings.get(name) for name in wanted} == wanted


def test_each_mistake_stands_beside_its_field_and_the_first_one_has_the_focus(
    shop: Workshop, sitting: Sitting, tmp_path: Path
) -> None:
    page = sitting.page("#/new")
    folder = page.get_by_label("Project folder")
    folder.fill("somewhere")
    page.locator("#cwd-wrong").get_by_text("give the absolute path of a folder").wait_for()
    folder.fill(str(tmp_path / "none"))
    page.locator("#cwd-wrong").get_by_text(str(tmp_path / "none")).wait_for()
    folder.fill("")
    page.get_by_label("Workers at once").fill("65")
    page.get_by_label("At most, in US dollars").fill("much")
    page.get_by_role("button", name="Start the run").click()
    page.locator("#cwd-wrong").get_by_text("Say where the project is").wait_for()
    page.locator("#message-wrong").get_by_text("Say what is to be done.").wait_for()
    page.locator("#template-wrong").get_by_text("Choose what kind of work it is.").wait_for()
    page.locator("#maxWorkers-wrong").get_by_text("65 isn't a whole number from 1 to 64").wait_for()
    page.locator("#maxBudgetUsd-wrong").get_by_text("much isn't an amount above 0").wait_for()
    assert page.evaluate("document.activeElement.id") == "cwd"
    folder.fill(str(shop.project.root))
    page.locator("#cwd-wrong").wait_for(state="detached")
    sitting.refused(400)


def test_uncommitted_changes_are_shown_and_asked_about_before_anything_begins(
    shop: Workshop, sitting: Sitting, tmp_path: Path
) -> None:
    (shop.project.root / "draft.txt").write_text("mine\n")
    try:
        page = sitting.page("#/new")
        page.get_by_label("Project folder").fill(str(shop.project.root))
        page.get_by_role("group", name="1 uncommitted change").get_by_text("draft.txt").wait_for()
        page.get_by_label("Start without them").check()
    finally:
        (shop.project.root / "draft.txt").unlink()


def test_what_was_filled_in_is_there_when_one_comes_back(shop: Workshop, sitting: Sitting) -> None:
    page = sitting.page("#/new")
    page.get_by_label("Request").fill("Half a thought")
    page.get_by_role("link", name="Inbox").click()
    page.get_by_role("heading", name="Inbox").wait_for()
    page.go_back()
    assert page.get_by_label("Request").input_value() == "Half a thought"


def test_a_repository_s_own_template_shows_with_its_project_and_can_t_be_used_unapproved(
    shop: Workshop, sitting: Sitting
) -> None:
    own = shop.project.root / ".bigtask" / "templates"
    own.mkdir(parents=True)
    house = {"id": "house", "name": "House way", "extends": "_default", "config": {"maxWorkers": 2}}
    changed = {**house, "phases": {"verification": {"allowedCommands": [["make", "all\u202e"]]}}}
    (own / "house.json").write_text(json.dumps(house))
    (own / "bad.json").write_text('{"id": "bad", "name": "Bad", "extends": "nobody"}')
    page = sitting.page("#/new")
    try:
        page.get_by_label("Project folder").fill(str(shop.project.root))
        page.get_by_text("bigtask template approve house").wait_for()
        assert page.get_by_role("radio", name="House way").is_disabled()
        page.get_by_text("Can't be used: /extends").wait_for()
        approval = page.get_by_role("region", name="Approval of house")
        approval.get_by_role("button", name="See what it would do").click()
        approval.get_by_text("none that bigtask would run or allow").wait_for()
        # It is changed while it is read: what is approved is what was shown.
        (own / "house.json").write_text(json.dumps(changed))
        approval.get_by_role("button", name="Approve this template").click()
        approval.get_by_text("look at it again, then approve it").wait_for()
        sitting.refused(409)
        assert page.get_by_role("radio", name="House way").is_disabled()
        approval.get_by_role("button", name="See what it would do").click()
        approval.get_by_text("\\u{202e}").wait_for()
        approval.get_by_role("button", name="Approve this template").click()
        approval.wait_for(state="detached")
        page.get_by_role("radio", name="House way").check()
    finally:
        page.close()
        for file in own.iterdir():
            file.unlink()
        own.rmdir()
        own.parent.rmdir()
