"""What a person sees of a run, and does about it."""

from __future__ import annotations

import re

from server.conftest import BASE, Workshop

from .conftest import Sitting

ASKS = {
    "tasks": [{"id": "left"}, {"id": "right"}],
    "turns": [
        {
            "when": {"task": "left"},
            "steps": [
                {"do": "ask", "question": "May I run `make all`?"},
                {"do": "write", "path": "left.txt", "content": "left\n"},
                {"do": "answer", "data": {"status": "success", "summary": "Left is done."}},
            ],
        }
    ],
}


def test_the_list_names_a_run_and_leads_to_it(shop: Workshop, sitting: Sitting) -> None:
    id = shop.done()
    page = sitting.page()
    page.get_by_role("link", name=re.compile("Do the work")).first.click()
    page.get_by_text(re.compile(r"3 of 3 proved|0 of 3 proved")).wait_for()
    assert page.url.endswith(f"#/runs/{id}")
    assert page.title().startswith("Complete")
    for task in ("left", "right", "both"):
        assert page.get_by_role("button", name=re.compile(f"^{task}, attempt 1: done")).count() == 1


def test_a_plan_is_confirmed_and_a_question_answered_by_its_key_while_the_page_is_open(
    shop: Workshop, sitting: Sitting
) -> None:
    id = shop.planned(ASKS)
    page = sitting.page(f"#/runs/{id}")
    page.get_by_text("Waits for you").wait_for()
    page.get_by_role("button", name="Start the work", exact=True).click()
    bar = page.get_by_role("button", name=re.compile(r"left, attempt 1: waits for you, key 1"))
    bar.wait_for()
    page.keyboard.press("1")
    page.get_by_text("May I run `make all`?").wait_for()
    page.get_by_role("button", name="Allow", exact=True).click()
    page.get_by_text("Complete", exact=True).wait_for()
    answered = [e["data"] for e in shop.server.events(id) if e["type"] == "orchestrator:answered"]
    assert [each["answer"] for each in answered] == ["confirm", "allow"]


def test_time_goes_back_event_by_event_and_forward_again(shop: Workshop, sitting: Sitting) -> None:
    id = shop.done()
    last = shop.server.events(id)[-1]["seq"]
    page = sitting.page(f"#/runs/{id}")
    page.get_by_text("Complete", exact=True).wait_for()
    page.keyboard.press("Home")
    page.get_by_text(f"event 1 of {last}").wait_for()
    assert page.get_by_role("button", name=re.compile("attempt 1")).count() == 0
    for _ in range(5):
        page.keyboard.press("ArrowRight")
    page.get_by_text(f"event 6 of {last}").wait_for()
    page.keyboard.press("End")
    page.get_by_text("the end").wait_for()
    page.get_by_text("Complete", exact=True).wait_for()


def test_the_graph_has_every_task_and_opens_one(shop: Workshop, sitting: Sitting) -> None:
    id = shop.done()
    page = sitting.page(f"#/runs/{id}")
    page.get_by_text("Complete", exact=True).wait_for()
    page.keyboard.press("g")
    node = page.get_by_role("button", name=re.compile("^both: done"))
    node.wait_for()
    assert page.locator(".graph .node").count() == 3
    assert page.locator(".graph .edge").count() == 2
    node.click()
    page.get_by_role("complementary").get_by_text("both").first.wait_for()
    page.get_by_role("tab", name="1 attempt").click()
    page.locator(".attempts li").wait_for()
    page.keyboard.press("Escape")
    page.get_by_role("complementary").wait_for(state="detached")


def test_two_browsers_and_a_terminal_see_the_same(shop: Workshop, sitting: Sitting) -> None:
    id = shop.planned(ASKS)
    first, second = sitting.page(f"#/runs/{id}"), sitting.page("#/inbox")
    second.get_by_role("link", name=re.compile("Do the work|" + id)).first.wait_for()
    first.get_by_role("button", name="Start the work", exact=True).click()
    second.get_by_text("May I run `make all`?").wait_for()
    shop.server.post(f"{BASE}/{id}/answer", {"waitingId": "w2", "answer": "deny"})
    second.get_by_text("May I run `make all`?").wait_for(state="detached")
    first.get_by_text(re.compile("^(Complete|Incomplete|Failed)$")).wait_for()
