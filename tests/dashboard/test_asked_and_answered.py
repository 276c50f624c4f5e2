"""What a person says to one task, and how what waits for them is shown and told."""

from __future__ import annotations

import re
from typing import Any

from server.conftest import BASE, Workshop

from .conftest import Sitting

LISTENS: dict[str, Any] = {
    "tasks": [{"id": "left"}],
    "turns": [
        {
            "when": {"task": "left"},
            "steps": [
                {"do": "say", "text": "I am waiting for a word."},
                {"do": "listen"},
                {"do": "answer", "data": {"status": "success", "summary": "Heard: {MESSAGE}"}},
            ],
        }
    ],
}

ASKS_A_TOOL: dict[str, Any] = {
    "tasks": [{"id": "left"}],
    "turns": [
        {
            "when": {"task": "left"},
            "steps": [
                {"do": "ask", "question": "May I run `make all`?", "tool": "Bash", "subject": "make all"},
                {"do": "answer", "data": {"status": "success", "summary": "Made."}},
            ],
        }
    ],
}

CONFLICT: dict[str, Any] = {
    "tasks": [{"id": "left"}, {"id": "right"}],
    "turns": [
        {
            "when": {"task": id},
            "steps": [
                {"do": "write", "path": "a.txt", "content": f"one\n{id}\nthree\n"},
                {"do": "answer", "data": {"status": "success", "summary": "Written."}},
            ],
        }
        for id in ("left", "right")
    ],
}


def begun(shop: Workshop, script: dict[str, Any], until: str, **options: Any) -> str:
    run = shop.planned(script, **options)
    shop.server.post(f"{BASE}/{run}/confirm")
    shop.server.wait_for(run, until)
    return run


def test_a_message_reaches_the_session_that_is_at_work(shop: Workshop, sitting: Sitting) -> None:
    run = begun(shop, LISTENS, "worker:started")
    page = sitting.page(f"#/runs/{run}/tasks/left")
    field = page.get_by_role("textbox", name="Message to the session")
    field.wait_for()
    field.fill("the word")
    field.press("Enter")
    page.get_by_text("left has it").wait_for()
    page.get_by_text("Complete", exact=True).wait_for()
    page.get_by_role("tab", name="1 attempt").click()
    page.get_by_text("Heard: the word").first.wait_for()


def test_a_task_is_cancelled_and_tried_again_from_its_panel(shop: Workshop, sitting: Sitting) -> None:
    run = begun(shop, LISTENS, "worker:started")
    page = sitting.page(f"#/runs/{run}/tasks/left")
    page.get_by_role("button", name="Cancel the task").click()
    page.get_by_role("button", name="Try again").wait_for()
    page.get_by_role("button", name="Try again").click()
    page.get_by_role("tab", name="2 attempts").wait_for()
    shop.server.post(f"{BASE}/{run}/cancel")


def test_a_permission_is_given_for_as_long_as_one_says(shop: Workshop, sitting: Sitting) -> None:
    run = begun(shop, ASKS_A_TOOL, "worker:waiting")
    page = sitting.page("#/inbox")
    card = page.locator(".card").filter(has=page.locator(f"a[href='#/runs/{run}']"))
    card.get_by_role("button", name="Allow for this run").click()
    card.wait_for(state="detached")
    shop.server.wait_for(run, "orchestrator:completed")
    answered = [e["data"] for e in shop.server.events(run) if e["type"] == "orchestrator:answered"]
    assert [one.get("scope") for one in answered if one["answer"] == "allow"] == ["run"]


def test_a_conflict_is_shown_three_ways_and_settled(shop: Workshop, sitting: Sitting) -> None:
    run = begun(shop, CONFLICT, "worker:needsReview")
    page = sitting.page(f"#/runs/{run}")
    page.get_by_role("button", name="Show the three versions").click()
    versions = page.locator(".versions figure")
    versions.nth(2).wait_for()
    before, ours, theirs = (one.inner_text().splitlines() for one in versions.all())
    assert before == ["before", "one", "two", "three"]
    assert {ours[0], theirs[0]} == {"merged so far (ours)", "this task (theirs)"}
    assert ours[2] == theirs[2] == "two"  # struck out
    assert {ours[3], theirs[3]} == {"left", "right"}
    assert versions.nth(1).locator(".minus").inner_text() == "two"
    page.get_by_role("button", name="Take the task's version", exact=True).click()
    page.get_by_text("Complete", exact=True).wait_for()


def test_what_a_question_is_about_is_told_in_words(shop: Workshop, sitting: Sitting) -> None:
    run = shop.planned({"tasks": [{"id": "one", "dependencies": ["nobody"]}]})
    page = sitting.page("#/inbox")
    card = page.locator(".card").filter(has=page.locator(f"a[href='#/runs/{run}']"))
    assert card.locator(".where").inner_text() == "Do the work"
    card.locator("dt", has_text="Errors").wait_for()
    told = card.locator("dd .told li").first.inner_text()
    assert "nobody" in told
    assert not told.startswith(("[", '"'))
    shop.server.post(f"{BASE}/{run}/cancel")


def test_notices_are_asked_for_on_a_click_and_told_while_one_looks_elsewhere(
    shop: Workshop, sitting: Sitting
) -> None:
    sitting.context.grant_permissions(["notifications"], origin=sitting.url)
    page = sitting.page()
    page.add_init_script(
        """window.told = [];
        window.asked = 0;
        const Own = class extends EventTarget {
          static permission = "default";
          static async requestPermission() { window.asked += 1; return (Own.permission = "granted"); }
          constructor(title, more) { super(); window.told.push([title, more.body]); }
          close() {}
        };
        window.Notification = Own;
        Object.defineProperty(document, "visibilityState", {get: () => "hidden"});"""
    )
    page.goto(f"{sitting.url}/#/inbox")
    page.reload()
    box = page.get_by_role("checkbox", name=re.compile("tell me on the desktop"))
    assert page.evaluate("window.asked") == 0
    assert not box.is_checked()
    box.check()
    assert page.evaluate("window.asked") == 1
    assert page.evaluate("window.told") == []
    run = begun(shop, ASKS_A_TOOL, "worker:waiting")
    page.wait_for_function("() => window.told.some(([title, body]) => body.includes('make all'))")
    assert ["Permission for you", "May I run `make all`?"] in page.evaluate("window.told")
    box.uncheck()
    assert page.evaluate("localStorage.getItem('bigtask-notices')") == "off"
    shop.server.post(f"{BASE}/{run}/cancel")
