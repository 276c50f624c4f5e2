"""Templates as a person keeps them: listed with their origin, edited with help, and with two writers."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from server.conftest import Workshop

from .conftest import Sitting

if TYPE_CHECKING:
    from playwright.sync_api import Page

BASE = "/api/orchestrator/templates"


def made(shop: Workshop, id: str, **more: Any) -> dict[str, Any]:
    whole = {"id": id, "name": id.title(), "extends": "_default", "config": {"maxWorkers": 3}, **more}
    (shop.desk.home.templates / f"{id}.json").write_text(json.dumps(whole, indent=2))
    return whole


def editor(page: Page) -> Any:
    return page.get_by_label("The template as JSON")


def typed(page: Page, old: str, new: str) -> None:
    """As a person does it: the cursor behind `old`, which is replaced key by key."""
    editor(page).evaluate(
        """(area, old) => {
          const at = area.value.indexOf(old);
          if (at < 0) throw new Error(`no ${old} in ${area.value}`);
          area.focus();
          area.setSelectionRange(at, at + old.length);
        }""",
        old,
    )
    page.keyboard.press("Delete")
    page.keyboard.type(new)


def fine(page: Page) -> None:
    page.get_by_role("heading", name="Nothing is wrong").wait_for()


def test_the_list_says_where_each_comes_from_and_why_a_broken_one_is_broken(
    shop: Workshop, sitting: Sitting
) -> None:
    folder = shop.desk.home.templates
    (folder / "torn.json").write_text('{"id": "torn", "name": ')
    own = shop.project.root / ".bigtask" / "templates"
    own.mkdir(parents=True)
    (own / "house.json").write_text(json.dumps({"id": "house", "name": "House way", "extends": "_default"}))
    try:
        page = sitting.page("#/templates")
        torn = page.get_by_role("link", name=re.compile("torn"))
        torn.get_by_text("broken", exact=True).wait_for()
        assert "isn't JSON" in torn.inner_text() or "JSON" in torn.inner_text()
        page.get_by_role("heading", name="Your own").wait_for()
        page.get_by_role("heading", name="Shipped with bigtask").wait_for()
        assert page.get_by_role("link", name=re.compile("House way")).count() == 0
        page.get_by_label("Project whose own templates count as well").fill(str(shop.project.root))
        house = page.get_by_role("link", name=re.compile("House way"))
        house.get_by_text("not approved").wait_for()
        house.click()
        page.get_by_text("It belongs to the repository").wait_for()
        assert editor(page).get_attribute("readonly") is not None
        page.goto(f"{sitting.url}/#/templates/torn")
        page.get_by_role("heading", name="1 problem").wait_for()
        page.get_by_text("the text ends where a value is needed").wait_for()
        page.get_by_role("button", name="line 1, column 24").wait_for()
    finally:
        (folder / "torn.json").unlink()
        (own / "house.json").unlink()
        own.rmdir()
        own.parent.rmdir()


def test_a_typo_is_told_with_its_line_and_what_to_write_and_completed_away(
    shop: Workshop, sitting: Sitting
) -> None:
    made(shop, "typo")
    page = sitting.page("#/templates/typo")
    fine(page)
    typed(page, "maxWorkers", "maxWorker")
    page.get_by_text("maxWorker isn't known here: did you mean maxWorkers?").wait_for()
    page.get_by_role("button", name="line 6").wait_for()
    assert page.get_by_role("button", name="Save").is_disabled()
    page.get_by_role("option", name=re.compile("^maxWorkers How many workers")).wait_for()
    page.keyboard.press("Enter")
    fine(page)
    typed(page, ": 3", ": 99")
    page.locator(".complaint").get_by_text("64").wait_for()
    typed(page, ": 99", ": 9")
    fine(page)
    page.keyboard.press("Control+s")
    page.get_by_text("typo is saved.").wait_for()
    assert shop.server.get(f"{BASE}/typo")["template"]["config"]["maxWorkers"] == 9


def test_what_can_stand_somewhere_is_offered_by_key(shop: Workshop, sitting: Sitting) -> None:
    made(shop, "offered")
    page = sitting.page("#/templates/offered")
    fine(page)
    typed(page, '"maxWorkers": 3', '"maxWorkers": 3, "isol')
    page.get_by_role("option", name=re.compile("^isolation")).wait_for()
    page.keyboard.press("Tab")
    assert '"isolation": "worktree"' in editor(page).input_value()
    typed(page, '"worktree"', '"no')
    page.get_by_role("option", name=re.compile('^"none"')).wait_for()
    page.keyboard.press("Escape")
    page.get_by_role("listbox").wait_for(state="detached")
    page.keyboard.press("Control+Space")
    page.get_by_role("option", name=re.compile('^"none"')).wait_for()
    page.keyboard.press("Enter")
    fine(page)
    assert json.loads(editor(page).input_value())["config"] == {"maxWorkers": 3, "isolation": "none"}


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"name": "Spelt",', '"name": "Spelt"', "a , or } is missing before this"),
        ('"maxWorkers": 3', '"maxWorkers": 3,', "a , before } is one too many"),
        ('"maxWorkers": 3', '"maxWorkers": three', '"three" is no value'),
        ('"maxWorkers": 3', "\"maxWorkers\": 'a'", "texts stand in double quotes"),
        ('"maxWorkers": 3', '"maxWorkers": 3, "maxWorkers": 4', 'the key "maxWorkers" stands twice'),
        ('"Spelt"', '"Spelt', "this text isn't closed"),
        ('"Spelt"', '"C:\\dir"', "needs another one before it"),
    ],
)
def test_json_that_isn_t_is_told_where_and_how_to_mend_it(
    shop: Workshop, sitting: Sitting, old: str, new: str, said: str
) -> None:
    made(shop, "spelt")
    page = sitting.page("#/templates/spelt")
    fine(page)
    text = editor(page).input_value()
    editor(page).fill(text.replace(old, new, 1))
    complaint = page.locator(".complaint").filter(has_text=said)
    complaint.wait_for()
    complaint.get_by_role("button", name=re.compile(r"line \d, column \d")).click()
    assert page.evaluate("document.activeElement.id") == "template-text"
    assert page.get_by_role("button", name="Save").is_disabled()
    editor(page).fill(text)
    fine(page)


def test_what_is_own_and_what_is_inherited_is_told_value_by_value(shop: Workshop, sitting: Sitting) -> None:
    made(shop, "parent", config={"maxWorkers": 3, "maxRetries": 1}, tags=["one"])
    made(shop, "child", extends="parent", config={"maxWorkers": 7, "maxRetries": None})
    page = sitting.page("#/templates/child")
    page.get_by_role("tab", name="Own and inherited").click()
    own = page.get_by_role("row", name=re.compile("^.config.maxWorkers"))
    own.get_by_text("instead of 3").wait_for()
    own.get_by_text("own", exact=True).wait_for()
    page.get_by_role("row", name=re.compile("^.tags.*parent$")).wait_for()
    page.get_by_role("row", name=re.compile("^.config.workerTimeout.*_default$")).wait_for()
    page.get_by_text("It takes away: /config/maxRetries").wait_for()
    page.get_by_label("Only its own").check()
    page.get_by_role("row", name=re.compile("^.tags")).wait_for(state="detached")


def test_a_long_text_is_edited_in_lines_and_its_prompt_looked_at_before_it_is_saved(
    shop: Workshop, sitting: Sitting
) -> None:
    words = "Work with care, and tell what you did, in the words of {TONE}; {RESPONSE_FORMAT}"
    made(shop, "spoken", prompts={"worker": {"user": words}}, variables={"TONE": "a pilot"})
    page = sitting.page("#/templates/spoken")
    editor(page).evaluate(
        "(area) => { area.focus(); area.selectionEnd = area.selectionStart = area.value.indexOf('Work w'); }"
    )
    page.keyboard.press("ArrowRight")
    page.get_by_role("button", name="Edit this text in lines").click()
    page.get_by_label("The text /prompts/worker/user").last.fill(f"First line\n\n{words}")
    page.get_by_role("button", name="Put it into the template").click()
    assert json.loads(editor(page).input_value())["prompts"]["worker"]["user"].startswith("First line\n\n")
    fine(page)
    page.get_by_role("tab", name="Prompts").click()
    page.locator(".prompt").get_by_text("in the words of a pilot").wait_for()
    page.locator(".prompt").get_by_text("First line").wait_for()
    assert "First line" not in json.dumps(shop.server.get(f"{BASE}/spoken")["template"])


def test_two_writers_at_once_lose_nothing(shop: Workshop, sitting: Sitting) -> None:
    made(shop, "shared")
    first, second = sitting.page("#/templates/shared"), sitting.page("#/templates/shared")
    fine(first)
    fine(second)
    typed(first, ": 3", ": 4")
    typed(second, '"Shared"', '"Shared by two"')
    fine(second)
    second.get_by_role("button", name="Save").click()
    second.get_by_text("shared is saved.").wait_for()
    fine(first)
    first.get_by_role("button", name="Save").click()
    told = first.get_by_role("alert").filter(has_text="Somebody else saved shared")
    told.get_by_text("Shared by two").wait_for()
    assert '"maxWorkers": 4' in editor(first).input_value()
    assert shop.server.get(f"{BASE}/shared")["template"]["name"] == "Shared by two"
    first.reload()
    first.get_by_role("alert").filter(has_text="Somebody else saved shared").wait_for()
    assert '"maxWorkers": 4' in editor(first).input_value()
    first.get_by_role("button", name="Save mine over theirs").click()
    first.get_by_text("shared is saved.").wait_for()
    found = shop.server.get(f"{BASE}/shared?resolved=false")["template"]
    assert (found["name"], found["config"]) == ("Shared", {"maxWorkers": 4})
    sitting.refused(412)


def test_one_is_made_duplicated_exported_deleted_and_imported_again(
    shop: Workshop, sitting: Sitting, tmp_path: Path
) -> None:
    page = sitting.page("#/templates")
    page.get_by_role("button", name="New template").click()
    page.get_by_role("heading", name="New template").wait_for()
    page.goto(f"{sitting.url}/#/templates/research")
    page.get_by_text("It comes with bigtask and stays as it is.").wait_for()
    page.get_by_role("button", name="Duplicate").click()
    page.wait_for_url("**/#/templates/research-copy")
    fine(page)
    with page.expect_download() as kept:
        page.get_by_role("button", name="Export").click()
    file = tmp_path / "research-copy.json"
    kept.value.save_as(file)
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("button", name="Yes, delete it").click()
    page.wait_for_url("**/#/templates")
    page.get_by_role("link", name=re.compile("research-copy")).wait_for(state="detached")
    page.locator("input[type=file]").set_input_files(file)
    page.get_by_role("status", name="What was imported").get_by_text("research-copy created").wait_for()
    page.locator("input[type=file]").set_input_files(file)
    page.get_by_role("button", name="Import again, replacing your own").click()
    page.get_by_role("status", name="What was imported").get_by_text("research-copy replaced").wait_for()
    page.get_by_role("link", name=re.compile("research-copy")).first.click()
    page.get_by_role("link", name="Use it").click()
    page.get_by_role("radio", name=re.compile("copy")).wait_for()
    assert page.get_by_role("radio", name=re.compile("copy")).is_checked()
