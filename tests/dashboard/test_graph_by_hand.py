"""The graph under a hand: closer and further away, and moved; by mouse, by wheel and by keyboard."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from server.conftest import Workshop

from .conftest import Sitting

if TYPE_CHECKING:
    from playwright.sync_api import Page

MANY = 1_000
WIDE = 40
"""So many begin at once; the others wait for one of them."""

PLAN = {
    "tasks": [
        {"id": f"t{number:04}", "dependencies": [f"t{number - WIDE:04}"] if number >= WIDE else []}
        for number in range(MANY)
    ]
}

EXTENT = """() => {
  const [seen, room] = ['.seen', '.graph'].map((one) => document.querySelector(one).getBoundingClientRect());
  return [seen.left - room.left, seen.right - room.left, seen.top - room.top, seen.bottom - room.top,
          room.width, room.height];
}"""


@pytest.fixture(scope="module")
def planned(shop: Workshop) -> str:
    shop.desk.template(config={}, phases={"taskPlanning": {"validation": {"maxTasks": MANY}}})
    return shop.planned(PLAN)


def graph(sitting: Sitting, run: str) -> Page:
    page = sitting.page(f"#/runs/{run}")
    page.get_by_text("Waits for you", exact=True).wait_for()
    page.keyboard.press("g")
    page.locator(".node").first.wait_for()
    size(page, "(now) => now < 50")
    return page


def size(page: Page, fits: str) -> float:
    """In hundredths, once it is as it should be."""
    said = "Number.parseInt(document.querySelector('.zoom output').textContent)"
    page.wait_for_function(f"() => ({fits})({said})")
    return float(page.evaluate(said))


DRAWN = "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"


def box(page: Page, task: str) -> dict[str, float]:
    """Its place in the window, in pixels, once what was asked of the page is drawn."""
    page.evaluate(DRAWN)
    node = page.locator(".node", has=page.locator("text.id", has_text=task)).locator("rect").first
    found = node.bounding_box()
    assert found is not None
    return dict(found)


def in_room(page: Page, task: str) -> bool:
    room = page.locator(".graph").bounding_box()
    assert room is not None
    seen = box(page, task)
    return (
        room["x"] <= seen["x"]
        and seen["x"] + seen["width"] <= room["x"] + room["width"]
        and room["y"] <= seen["y"]
        and seen["y"] + seen["height"] <= room["y"] + room["height"]
    )


def test_all_of_a_thousand_tasks_are_seen_at_first(sitting: Sitting, planned: str) -> None:
    page = graph(sitting, planned)
    assert page.locator(".node").count() == MANY
    left, right, top, bottom, width, height = page.evaluate(EXTENT)
    assert left >= -1
    assert right <= width + 1
    assert top >= -1
    assert bottom <= height + 1
    assert left == pytest.approx(width - right, abs=40)


def test_keys_bring_it_closer_until_it_can_be_read_move_it_and_show_all_again(
    sitting: Sitting, planned: str
) -> None:
    page = graph(sitting, planned)
    whole = size(page, "(now) => now > 0")
    for _ in range(12):
        page.keyboard.press("+")
    size(page, "(now) => now === 250")
    written = page.locator(".node text.id").first.bounding_box()
    assert written is not None
    assert written["height"] > 20
    before = box(page, "t0500")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    after = box(page, "t0500")
    assert (before["x"] - after["x"], before["y"] - after["y"]) == pytest.approx((80, 80), abs=1)
    page.get_by_text("now", exact=True).wait_for()  # the arrows didn't go back in time
    page.keyboard.press("-")
    size(page, "(now) => now < 250")
    page.keyboard.press("0")
    assert size(page, f"(now) => now === {int(whole)}") == whole


def test_the_wheel_brings_closer_what_is_under_it_and_moves_what_is_cut(
    sitting: Sitting, planned: str
) -> None:
    page = graph(sitting, planned)
    before = box(page, "t0500")
    x, y = before["x"] + before["width"] / 2, before["y"] + before["height"] / 2
    page.mouse.move(x, y)
    page.keyboard.down("Control")
    for _ in range(4):
        page.mouse.wheel(0, -200)
    page.keyboard.up("Control")
    size(page, "(now) => now > 100")
    after = box(page, "t0500")
    assert after["x"] <= x <= after["x"] + after["width"]
    assert after["y"] <= y <= after["y"] + after["height"]
    page.mouse.wheel(30, 50)
    moved = box(page, "t0500")
    assert (after["x"] - moved["x"], after["y"] - moved["y"]) == pytest.approx((30, 50), abs=1)


def test_where_all_is_seen_the_wheel_is_the_page_s(sitting: Sitting, planned: str) -> None:
    page = graph(sitting, planned)
    page.set_viewport_size({"width": 1600, "height": 500})
    try:
        at = page.locator(".graph").bounding_box()
        assert at is not None
        page.mouse.move(at["x"] + 300, at["y"] + 30)
        page.mouse.wheel(0, 120)
        page.wait_for_function("() => scrollY > 0")
    finally:
        page.set_viewport_size({"width": 1600, "height": 900})


def test_dragging_moves_it_and_opens_nothing_while_a_click_opens(sitting: Sitting, planned: str) -> None:
    page = graph(sitting, planned)
    for _ in range(6):
        page.keyboard.press("+")
    size(page, "(now) => now > 100")
    page.keyboard.press("ArrowLeft")
    # By a node, as most of the room is where it is full.
    room = page.locator(".graph").bounding_box()
    assert room is not None
    x, y = room["x"] + room["width"] / 2, room["y"] + room["height"] / 2
    task = page.evaluate(
        """([x, y]) => {
          const far = (node) => {
            const box = node.getBoundingClientRect();
            return Math.hypot(box.x + box.width / 2 - x, box.y + box.height / 2 - y);
          };
          const nodes = [...document.querySelectorAll('.node')];
          return nodes.sort((one, other) => far(one) - far(other))[0].querySelector('.id').textContent;
        }""",
        [x, y],
    )
    before = box(page, task)
    x, y = before["x"] + before["width"] / 2, before["y"] + before["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x - 90, y - 40, steps=5)
    page.mouse.up()
    after = box(page, task)
    assert (before["x"] - after["x"], before["y"] - after["y"]) == pytest.approx((90, 40), abs=1)
    assert page.get_by_role("complementary").count() == 0
    page.mouse.click(x - 90, y - 40)
    page.get_by_role("complementary", name=re.compile("^The task")).wait_for()


def test_who_goes_by_tab_sees_the_task_that_has_the_focus(sitting: Sitting, planned: str) -> None:
    page = graph(sitting, planned)
    for _ in range(6):
        page.keyboard.press("+")
    size(page, "(now) => now > 100")
    assert not in_room(page, "t0001")
    page.locator(".node").first.focus()
    page.keyboard.press("Tab")
    page.wait_for_function("() => document.activeElement.querySelector('.id')?.textContent === 't0001'")
    page.wait_for_function(
        """() => {
          const node = document.activeElement.querySelector('rect').getBoundingClientRect();
          const room = document.querySelector('.graph').getBoundingClientRect();
          return node.left >= room.left && node.right <= room.right && node.top >= room.top
            && node.bottom <= room.bottom;
        }"""
    )


def test_buttons_do_the_same_for_those_without_a_keyboard(sitting: Sitting, planned: str) -> None:
    page = graph(sitting, planned)
    whole = size(page, "(now) => now > 0")
    page.get_by_role("button", name="Closer").click()
    size(page, f"(now) => now > {whole}")
    page.get_by_role("button", name="Show all").click()
    size(page, f"(now) => now === {int(whole)}")
