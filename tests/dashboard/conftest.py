"""The dashboard in a real Chromium without a window, over a real server."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from server.browser import needs_chromium
from server.conftest import Workshop, furnish
from server.served import served

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

PATIENCE_MS = 30_000


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(here):
            item.add_marker(pytest.mark.integration)
            item.add_marker(pytest.mark.timeout(300))


@dataclass(frozen=True)
class Sitting:
    """A person at a browser, signed in. `troubles` are what pages complained of: scripts that failed, and
    what the policy kept from happening."""

    context: BrowserContext
    troubles: list[str]
    url: str

    def page(self, at: str = "") -> Page:
        page = self.context.new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.on("pageerror", lambda error: self.troubles.append(str(error)))
        page.on("console", lambda said: self.troubles.append(said.text) if said.type == "error" else None)
        page.goto(f"{self.url}/{at}")
        return page

    def refused(self, status: int) -> None:
        """That the server answered something with it is what the test wanted; browsers complain of it."""
        wanted = [said for said in self.troubles if f"status of {status}" in said]
        assert wanted, self.troubles
        self.troubles[:] = [said for said in self.troubles if said not in wanted]


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """Ended with the module: while Playwright is at work, no other event loop can run in this thread."""
    program = needs_chromium()
    if importlib.util.find_spec("playwright") is None:
        assert not os.environ.get("CI"), "CI runs this with playwright: tools/setup agents"
        pytest.skip("playwright isn't installed: tools/setup agents")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workshop]:
    place = tmp_path_factory.mktemp("shop")
    desk, project = furnish(place)
    with served(desk.home.path) as server:
        yield Workshop(server, desk, project)


@pytest.fixture(scope="module")
def signed_in(chromium: Browser, shop: Workshop) -> Iterator[BrowserContext]:
    context = chromium.new_context(locale="en-GB", viewport={"width": 1600, "height": 900})
    page = context.new_page()
    page.goto(shop.server.link)
    page.get_by_role("heading", name="Runs").wait_for(timeout=PATIENCE_MS)
    page.close()
    yield context
    context.close()


@pytest.fixture
def sitting(signed_in: BrowserContext, shop: Workshop) -> Iterator[Sitting]:
    """Whatever a page complained of fails the test that opened it."""
    found = Sitting(signed_in, [], shop.server.url)
    yield found
    for page in signed_in.pages:
        page.close()
    assert found.troubles == []
