"""A plan as a person changes it: drawn, typed, by keyboard; and with somebody else at the same plan."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from server.conftest import BASE, Workshop

from .conftest import Sitting
from .test_run_page import ASKS

if TYPE_CHECKING:
    from playwright.sync_api import Page

PLAN = {
    "tasks": [
        {
            "id": "left",
            "title": "The left half",
            "estimated_minutes": 10,
            "checks": [{"command": ["make", "left"]}],
        },
        {"id": "right", "title": "The right half", "estimated_minutes": 4},
        {"id": "both", "title": "Both", "dependencies": ["left", "right"], "estimated_minutes": 2},
    ]
}


def opened(shop: Workshop, sitting: Sitting, script: dict[str, Any] | None = None) -> tuple[str, Page]:
    id = shop.planned(script or PLAN)
    page = sitting.page(f"#/runs/{id}/plan")
    usable(page)
    return id, page


def usable(page: Page) -> None:
    page.locator(".headline .stands").get_by_text("Usable", exact=True).wait_for()


def saved(page: Page, revision: int) -> None:
    page.get_by_role("button", name="Save", exact=True).click()
    page.get_by_text(f"revision {revision}").wait_for()


def tasks_of(shop: Workshop, id: str) -> dict[str, dict[str, Any]]:
    plan = shop.server.get(f"{BASE}/{id}")["orchestrator"]["plan"]
    return {task["id"]: task for task in plan["tasks"]}


def row(page: Page, id: str) -> None:
    page.locator(".task .line").filter(has=page.locator("b", has_text=re.compile(f"^{id}$"))).click()
    page.get_by_role("complementary", name=f"The task {id}").wait_for()


def test_every_field_of_a_task_is_changed_and_saved_as_one_revision(shop: Workshop, sitting: Sitting) -> None:
    id, page = opened(shop, sitting)
    row(page, "right")
    page.get_by_label("Title").fill("Right, and nothing else")
    page.get_by_label("What the worker is told").fill("Begin at the top.\nEnd at the bottom.")
    page.get_by_label("May change").fill("src/right/**\ndocs/right.md")
    page.get_by_label("Priority").fill("2")
    page.get_by_label("Minutes").fill("7.5")
    page.get_by_label("Tokens").fill("9000")
    page.get_by_label("Model").fill("larger")
    page.get_by_label("Agent", exact=True).select_option("offline")
    page.get_by_label("Wait for another task").select_option("left")
    page.get_by_role("button", name="Add a command").click()
    page.get_by_label("Command that has to succeed").fill("sh -c 'exit 0'")
    page.get_by_role("button", name="Add a sentence").click()
    page.get_by_label("Sentence that has to be true").fill("It is right.")
    saved(page, 2)
    assert tasks_of(shop, id)["right"] == {
        "id": "right",
        "title": "Right, and nothing else",
        "description": "Begin at the top.\nEnd at the bottom.",
        "scope": ["src/right/**", "docs/right.md"],
        "priority": 2,
        "dependencies": ["left"],
        "estimatedTokens": 9000,
        "estimatedMinutes": 7.5,
        "checks": [{"command": ["sh", "-c", "exit 0"]}, {"claim": "It is right."}],
        "agent": "offline",
        "model": "larger",
    }


def test_tasks_are_added_dropped_merged_and_put_in_another_order(shop: Workshop, sitting: Sitting) -> None:
    id, page = opened(shop, sitting)
    page.keyboard.press("a")
    page.get_by_label("Id", exact=True).fill("last")
    page.get_by_role("complementary", name="The task last").wait_for()
    page.get_by_label("Title").fill("At last")
    page.get_by_label("Wait for another task").select_option("both")
    page.get_by_role("button", name="Move last up").click()
    page.get_by_label("Choose left, to make one").check()
    page.get_by_label("Choose right, to make one").check()
    page.get_by_role("button", name="Make one of 2").click()
    usable(page)
    saved(page, 2)
    found = tasks_of(shop, id)
    assert list(found) == ["left", "last", "both"]
    assert found["left"]["title"] == "The left half and The right half"
    assert found["left"]["estimatedMinutes"] == 14
    assert found["both"]["dependencies"] == ["left"]
    assert found["last"]["dependencies"] == ["both"]
    page.get_by_role("button", name="Drop both").click()
    saved(page, 3)
    assert tasks_of(shop, id)["last"]["dependencies"] == ["left"]


def test_a_dependency_is_drawn_with_the_pointer_and_by_keyboard_and_undone(
    shop: Workshop, sitting: Sitting
) -> None:
    id, page = opened(shop, sitting)
    begin = page.locator("[data-task=left] .handle").bounding_box()
    end = page.locator("[data-task=right] rect").bounding_box()
    assert begin is not None
    assert end is not None
    page.mouse.move(begin["x"] + begin["width"] / 2, begin["y"] + begin["height"] / 2)
    page.mouse.down()
    page.mouse.move(end["x"] + 30, end["y"] + 20, steps=4)
    page.mouse.up()
    page.get_by_role("button", name="right waits for left: take that away").wait_for()
    page.keyboard.press("u")
    page.get_by_role("button", name="right waits for left: take that away").wait_for(state="detached")
    page.locator("[data-node=right]").focus()
    page.keyboard.press("d")
    page.get_by_text("Choose the task that waits for right").wait_for()
    page.locator("[data-node=left]").focus()
    page.keyboard.press("Enter")
    page.get_by_role("button", name="left waits for right: take that away").wait_for()
    page.locator("[data-node=both]").focus()
    page.keyboard.press("d")
    page.locator("[data-node=left]").focus()
    page.keyboard.press("Enter")
    page.get_by_text("left can't wait for both: both waits for left already.").wait_for()
    cut = page.get_by_role("button", name="both waits for right: take that away")
    cut.focus()
    page.keyboard.press("Delete")
    cut.wait_for(state="detached")
    saved(page, 2)
    found = tasks_of(shop, id)
    assert found["left"]["dependencies"] == ["right"]
    assert found["both"]["dependencies"] == ["left"]


def test_what_is_wrong_stands_beside_its_field_while_it_is_typed(shop: Workshop, sitting: Sitting) -> None:
    id, page = opened(shop, sitting)
    row(page, "left")
    start = page.get_by_role("button", name=re.compile("^(Save and start|Start) 3 tasks"))
    page.get_by_label("May change").fill("../elsewhere")
    page.locator("#task-scope-wrong").get_by_text("lies outside the run's directory").wait_for()
    assert page.get_by_label("May change").get_attribute("aria-invalid") == "true"
    assert start.is_disabled()
    page.get_by_label("May change").fill("")
    usable(page)
    page.get_by_label("Title").fill(" ")
    page.locator("#task-title-wrong").get_by_text("task left has no title").wait_for()
    page.get_by_label("Title").fill("Left")
    usable(page)
    page.get_by_label("Priority").fill("11")
    page.locator("#task-priority-wrong").get_by_text("11 isn't a whole number from 1").wait_for()
    page.get_by_label("Priority").fill("1")
    page.get_by_label("Command that has to succeed").fill("make 'left")
    page.get_by_text("a quote isn't closed").wait_for()
    assert start.is_disabled()
    page.get_by_label("Command that has to succeed").fill("make left")
    usable(page)
    assert tasks_of(shop, id)["left"]["title"] == "The left half"


def test_commands_that_confirming_allows_stand_out_and_the_estimate_follows(
    shop: Workshop, sitting: Sitting
) -> None:
    _, page = opened(shop, sitting)
    approve = page.get_by_role("region", name="Commands to approve")
    approve.get_by_text("make left").wait_for()
    before = page.locator(".headline").inner_text()
    assert "3 tasks" in before
    assert " min" in before
    row(page, "left")
    page.get_by_text("bigtask runs this on your machine once you confirm the plan.").wait_for()
    page.get_by_label("Minutes").fill("600")
    page.locator(".headline").get_by_text(re.compile(r"\d+ h")).wait_for()
    page.get_by_role("button", name="Take this check away").click()
    approve.wait_for(state="detached")


def test_two_browsers_at_one_plan_lose_nothing(shop: Workshop, sitting: Sitting) -> None:
    id, first = opened(shop, sitting)
    second = sitting.page(f"#/runs/{id}/plan")
    usable(second)
    row(first, "left")
    first.get_by_label("Title").fill("Left by the first")
    row(second, "left")
    second.get_by_label("Title").fill("Left by the second")
    row(second, "right")
    second.get_by_label("Title").fill("Right by the second")
    saved(second, 2)
    told = first.get_by_role("alert").filter(has_text="changed the plan while you did")
    told.get_by_text("Both of you changed title of left").wait_for()
    assert first.get_by_role("button", name="Save", exact=True).is_disabled()
    told.get_by_role("button", name="Put my changes on top").click()
    usable(first)
    saved(first, 3)
    found = tasks_of(shop, id)
    assert found["left"]["title"] == "Left by the first"
    assert found["right"]["title"] == "Right by the second"
    # The second one had nothing unsaved: it shows the newer plan by itself.
    second.get_by_text("revision 3").first.wait_for()
    second.locator(".task").get_by_text("Left by the first").wait_for()


def test_what_was_not_saved_is_there_after_the_page_was_loaded_again(
    shop: Workshop, sitting: Sitting
) -> None:
    _, page = opened(shop, sitting)
    row(page, "left")
    page.get_by_label("Title").fill("Kept")
    page.get_by_text("1 change not saved").wait_for()
    page.reload()
    page.get_by_text("1 change not saved").wait_for()
    page.locator(".task").get_by_text("Kept").wait_for()
    page.get_by_role("button", name="Drop the changes").click()
    page.get_by_text("not saved").wait_for(state="detached")


def test_a_plan_is_reached_from_its_run_changed_confirmed_and_carried_out(
    shop: Workshop, sitting: Sitting
) -> None:
    id = shop.planned(ASKS)
    page = sitting.page(f"#/runs/{id}")
    page.get_by_role("link", name="Look at the plan, and change it").wait_for()
    page.keyboard.press("e")
    usable(page)
    row(page, "right")
    page.get_by_label("Title").fill("Right, seen by a person")
    page.get_by_role("button", name="Save and start 2 tasks").click()
    page.wait_for_url(f"**/#/runs/{id}")
    page.keyboard.press("1")
    page.get_by_role("button", name="Allow", exact=True).click()
    page.get_by_text("Complete", exact=True).first.wait_for()
    page.goto(f"{sitting.url}/#/runs/{id}/plan")
    page.get_by_text("its plan can be read, and no longer changed").wait_for()
    row(page, "right")
    assert page.get_by_label("Title").is_disabled()
