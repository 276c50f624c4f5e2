"""The river under a hand: closer and further away, moved, and back in time; by mouse and by keyboard."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from server.conftest import Workshop

from .conftest import Sitting

if TYPE_CHECKING:
    from playwright.sync_api import Page


@pytest.fixture(scope="module")
def done(shop: Workshop) -> str:
    return shop.done()


def river(sitting: Sitting, run: str) -> Page:
    page = sitting.page(f"#/runs/{run}")
    page.get_by_text("Complete", exact=True).wait_for()
    return page


TRUNK = "(({ x1, x2 }) => x2.baseVal.value - x1.baseVal.value)(document.querySelector('.trunk'))"


def length(page: Page) -> float:
    """How long the whole run is drawn. Of bars only those are there that lie in the view."""
    found = page.evaluate(TRUNK)
    assert isinstance(found, int | float)
    return float(found)


def left_of(page: Page, task: str) -> float:
    box = page.get_by_role("button", name=re.compile(f"^{task}, attempt 1")).locator(".body").bounding_box()
    assert box is not None
    return box["x"]


def longer_than(page: Page, width: float) -> None:
    page.wait_for_function(f"(width) => {TRUNK} > width", arg=width)


def test_keys_bring_it_closer_and_show_all_again(sitting: Sitting, done: str) -> None:
    page = river(sitting, done)
    whole = length(page)
    page.keyboard.press("+")
    longer_than(page, whole * 1.3)
    page.keyboard.press("-")
    page.keyboard.press("-")
    page.wait_for_function(f"(width) => {TRUNK} < width", arg=whole)
    page.keyboard.press("0")
    longer_than(page, whole * 0.99)


def test_the_wheel_brings_closer_what_is_under_it(sitting: Sitting, done: str) -> None:
    page = river(sitting, done)
    whole, before = length(page), left_of(page, "both")
    box = page.locator(".river").bounding_box()
    assert box is not None
    page.mouse.move(before, box["y"] + 60)
    page.keyboard.down("Control")
    page.mouse.wheel(0, -200)
    page.keyboard.up("Control")
    longer_than(page, whole * 1.3)
    assert abs(left_of(page, "both") - before) < 3


def test_dragging_moves_the_picture(sitting: Sitting, done: str) -> None:
    page = river(sitting, done)
    before = left_of(page, "left")
    box = page.locator(".river").bounding_box()
    assert box is not None
    # Beside the bars, on the trunk.
    x, y = box["x"] + 500, box["y"] + box["height"] - 10
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x - 60, y, steps=4)
    page.mouse.up()
    page.wait_for_function(
        """(before) =>
          document.querySelector('.bar:not(.reserved) .body').getBoundingClientRect().x < before - 40""",
        arg=before,
    )
    page.get_by_text("the end").wait_for()  # it is still now


def test_the_now_line_is_dragged_back_in_time(sitting: Sitting, done: str) -> None:
    page = river(sitting, done)
    box = page.locator(".river").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] * 0.9, box["y"] + 8)
    page.mouse.down()
    page.mouse.move(box["x"] + 3, box["y"] + 8, steps=5)
    page.get_by_text(re.compile(r"event 1 of \d+")).wait_for()
    assert page.locator(".bar").count() == 0
    page.mouse.move(box["x"] + box["width"] * 0.6, box["y"] + 8, steps=5)
    page.locator(".bar").first.wait_for()
    page.mouse.up()
    page.get_by_role("button", name="Back to now").click()
    page.get_by_text("Complete", exact=True).wait_for()


def test_the_slider_goes_through_time_for_those_who_dont_drag(sitting: Sitting, done: str) -> None:
    page = river(sitting, done)
    slider = page.get_by_role("slider", name="Time")
    slider.focus()
    slider.press("Home")
    page.get_by_text(re.compile(r"event 1 of \d+")).wait_for()
    assert re.fullmatch(r"after event 1 of \d+", slider.get_attribute("aria-valuetext") or "")
    slider.press("End")
    page.get_by_text("the end").wait_for()


def test_every_bar_is_reached_and_opened_by_keyboard(sitting: Sitting, done: str) -> None:
    page = river(sitting, done)
    bar = page.get_by_role("button", name=re.compile("^both, attempt 1"))
    bar.focus()
    assert page.evaluate("document.activeElement.classList.contains('bar')")
    bar.press("Enter")
    page.get_by_role("complementary", name="The task both").wait_for()
    page.keyboard.press("Escape")
    page.get_by_role("complementary").wait_for(state="detached")
