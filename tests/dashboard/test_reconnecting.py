"""A page that is open while its server is killed."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from server.conftest import BASE, Workshop, furnish
from server.served import end, served

from .conftest import PATIENCE_MS
from .test_run_page import ASKS

if TYPE_CHECKING:
    from playwright.sync_api import Browser


def test_it_goes_on_with_the_next_server_without_gap_or_repeat(chromium: Browser, tmp_path: Path) -> None:
    desk, project = furnish(tmp_path)
    context = chromium.new_context(locale="en-GB")
    context.set_default_timeout(PATIENCE_MS)
    try:
        with served(desk.home.path) as first:
            page = context.new_page()
            page.goto(first.link)
            page.get_by_role("heading", name="Runs").wait_for()
            id = Workshop(first, desk, project).planned(ASKS)
            page.goto(f"{first.url}/#/runs/{id}")
            page.get_by_text("Waits for you").wait_for()
            page.get_by_role("status").get_by_text("live", exact=True).wait_for()
            first.process.kill()
            end(first.process)
            page.get_by_text("reconnecting…").wait_for()
            with served(desk.home.path, "--port", str(first.port)) as second:
                page.get_by_role("status").get_by_text("live", exact=True).wait_for()
                second.post(f"{BASE}/{id}/confirm")
                page.get_by_text("May I run `make all`?").wait_for()
                page.get_by_role("button", name="Allow", exact=True).click()
                page.get_by_text("Complete", exact=True).wait_for()
                last = second.events(id)[-1]["seq"]
                page.keyboard.press("Home")
                page.get_by_text(f"event 1 of {last}").wait_for()
                assert page.get_by_role("button", name=re.compile("attempt 2")).count() == 0
    finally:
        context.close()
