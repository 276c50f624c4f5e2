"""Each screen for everybody: light and dark, on a phone and on a wide screen, checked by axe-core."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from server.conftest import Workshop

from .conftest import Sitting
from .test_run_page import ASKS

if TYPE_CHECKING:
    from playwright.sync_api import Page

MADE = {
    "new": ("#/new", "text=Start the run", ".field.wrong"),
    "plan": ("#/runs/{waiting}/plan", ".task .line", ".panel .field"),
    "plan that is over": ("#/runs/{done}/plan", ".task .line", ".panel .field"),
    "templates": ("#/templates", "", ".template-row"),
    "template": ("#/templates/tested", "", ".beside .fine"),
    "own and inherited": ("#/templates/documentation", "text=Own and inherited", "tr.own"),
    "prompts": ("#/templates/documentation", "text=Prompts", ".prompt"),
    "result": ("#/runs/{done}/result", ".entry summary", ".file .patch"),
    "result so far": ("#/runs/{waiting}/result", "", ".taking .about"),
    "system": ("#/system", "text=what is in order too", ".finding"),
}
"""Where a person makes or reads something: its address, what is clicked there, and what shows then."""

AXE = Path(__file__).parent / "vendor" / "axe-core" / "axe.min.js"


@pytest.fixture(scope="module")
def runs(shop: Workshop) -> dict[str, str]:
    waiting = shop.planned(ASKS)
    return {"done": shop.done(), "waiting": waiting}


def shown(page: Page, screen: str) -> None:
    """Brings the page to what is looked at."""
    if screen in MADE:
        _, click, wanted = MADE[screen]
        if click:
            page.locator(click).first.click()
        page.locator(wanted).first.wait_for()
        return
    page.locator(".runs, .card, .bar").first.wait_for()
    if screen == "graph":
        page.keyboard.press("g")
        page.locator(".node").first.wait_for()
    if screen == "panel":
        page.locator(".bar").nth(3).press("Enter")
        page.locator(".talk, .panel .empty").first.wait_for()
    if screen == "help":
        page.keyboard.press("?")
        page.get_by_role("dialog").wait_for()


@pytest.mark.parametrize("screen", ["runs", "inbox", "river", "graph", "panel", "waiting", "help", *MADE])
def test_nothing_is_out_of_anybody_s_reach(
    shop: Workshop, sitting: Sitting, runs: dict[str, str], screen: str
) -> None:
    at = {"runs": "", "inbox": "#/inbox", "waiting": f"#/runs/{runs['waiting']}"}
    at |= {name: made.format(**runs) for name, (made, _, _) in MADE.items()}
    page = sitting.page(at.get(screen, f"#/runs/{runs['done']}"))
    shown(page, screen)
    # By the debugging protocol: the page's own policy lets no other script in.
    page.evaluate(AXE.read_text() + "; undefined")
    for width, theme in product((360, 1600), ("light", "dark")):
        page.set_viewport_size({"width": width, "height": 800})
        page.emulate_media(color_scheme=theme)
        found = page.evaluate(
            "axe.run(document, {resultTypes: ['violations']}).then((told) => told.violations)"
        )
        said = [
            f"{one['id']}: {node['html'][:160]} {node.get('failureSummary', '')}"
            for one in found
            for node in one["nodes"]
        ]
        assert said == [], f"{theme}, {width} px"
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{width} px"
