"""A run as one file: it opens anywhere, asks for nothing, runs nothing, and says less of its person."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from server.conftest import Workshop
from server.served import environment

from .test_everybody import AXE
from .test_hostile_words import hostile
from .test_result_screen import mixed

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

SECRET = "sk-ant-api03-" + "Zz9" * 30  # made up
NUMBERS = """() => {
  const count = (selector) => document.querySelectorAll(selector).length;
  return {
    hits: window.hits ?? 0,
    strange: count("script, img, iframe, form, base, link, object, embed, template, math") +
      count("meta[http-equiv=refresh]"),
    styles: count("style"),
    handlers: count("[onload], [onerror]"),
    inline: count("[style]"),
    links: count("a:not([href^='#task-'])"),
  };
}"""


def exported(shop: Workshop, run: str, to: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "bigtask", "export", run, str(to)],
        env={**environment(shop.desk.home.path), "MY_API_KEY": "correct-horse-battery"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert os.stat(to).st_mode & 0o777 == 0o600
    return to.read_text("utf-8")


def opened(chromium: Browser, file: Path, asked: list[str], said: list[str]) -> Page:
    """From the disk, in a browser that nobody is signed in to."""
    context = chromium.new_context(locale="en-GB", viewport={"width": 1600, "height": 900})
    page = context.new_page()
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto(file.as_uri())
    return page


@pytest.fixture(scope="module")
def mixed_page(shop: Workshop, tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("sent") / "run.html"
    exported(shop, shop.done(mixed()), file)
    return file


def test_the_run_can_be_read_without_a_server(chromium: Browser, mixed_page: Path) -> None:
    asked: list[str] = []
    said: list[str] = []
    page = opened(chromium, mixed_page, asked, said)
    try:
        assert page.title() == "Do the work · bigtask"
        page.get_by_text("Incomplete", exact=True).wait_for()
        for task in ("left", "right", "bad"):
            assert page.locator(f".river a[href='#task-{task}'] .bar").count() >= 1
        assert page.locator(".river .drop").count() == 2
        assert page.locator(".river .bar.proved:not(.reserved)").count() == 1
        assert "nothing in the diff shows it" in page.locator("#task-right").inner_text()
        assert "It isn't there." in page.locator("#task-bad").inner_text()
        page.get_by_role("row", name=re.compile(r"12,000 3,400 \$0.41")).wait_for()
        page.locator(".river a[href='#task-left']").first.press("Enter")
        assert page.url.endswith("#task-left")
        assert said == []
        assert asked == [mixed_page.as_uri()]
    finally:
        page.context.close()


@pytest.mark.parametrize("width", [360, 1600])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_page_is_for_everybody(chromium: Browser, mixed_page: Path, theme: str, width: int) -> None:
    page = opened(chromium, mixed_page, [], [])
    try:
        page.set_viewport_size({"width": width, "height": 800})
        page.emulate_media(color_scheme="dark" if theme == "dark" else "light")
        page.evaluate(AXE.read_text() + "; undefined")
        found = page.evaluate(
            "axe.run(document, {resultTypes: ['violations']}).then((told) => told.violations)"
        )
        assert [(one["id"], node["html"][:160]) for one in found for node in one["nodes"]] == []
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    finally:
        page.context.close()


def test_what_was_written_stays_words_and_asks_for_nothing(
    shop: Workshop, chromium: Browser, tmp_path: Path
) -> None:
    run = shop.planned(hostile())
    shop.server.post(f"/api/orchestrator/{run}/confirm")
    shop.server.wait_for(run, "worker:failed")
    shop.server.post(f"/api/orchestrator/{run}/cancel")
    shop.server.wait_for(run, "orchestrator:cancelled")
    asked: list[str] = []
    said: list[str] = []
    exported(shop, run, tmp_path / "run.html")
    page = opened(chromium, tmp_path / "run.html", asked, said)
    try:
        page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
        none = dict.fromkeys(("hits", "strange", "handlers", "inline", "links"), 0)
        assert page.evaluate(NUMBERS) == {**none, "styles": 1}
        assert asked == [(tmp_path / "run.html").as_uri()]
        assert said == []
    finally:
        page.context.close()


def test_its_policy_stops_what_would_slip_through(
    chromium: Browser, mixed_page: Path, tmp_path: Path
) -> None:
    """Somebody who edits the file gets no further than its words."""
    text = mixed_page.read_text("utf-8")
    slipped = "<img src=hit.png onerror='window.hits=1'><script>window.hits=1</script><p style='color:red'>"
    (tmp_path / "hit.png").write_bytes(b"")
    (tmp_path / "run.html").write_text(text.replace("<footer", f"{slipped}<footer"), "utf-8")
    asked: list[str] = []
    page = opened(chromium, tmp_path / "run.html", asked, [])
    try:
        page.locator("footer").wait_for()
        assert page.evaluate("window.hits ?? 0") == 0
        assert page.evaluate("getComputedStyle(document.querySelector('p[style]')).color") != "rgb(255, 0, 0)"
    finally:
        page.context.close()


def test_what_tells_of_the_person_is_taken_out(shop: Workshop, tmp_path: Path) -> None:
    root, home = str(shop.project.root), str(shop.desk.home.path)
    told = f"In {root} and {home}: mail ada@example.org, key {SECRET}, correct-horse-battery"
    script = {
        "tasks": [{"id": "left", "title": told}],
        "turns": [
            {
                "when": {"task": "left"},
                "steps": [{"do": "answer", "data": {"status": "success", "summary": told}}],
            },
            {
                "when": {"phase": "aggregation"},
                "steps": [{"do": "answer", "data": {"status": "success", "summary": told}}],
            },
        ],
    }
    run = shop.done(script)
    text = exported(shop, run, tmp_path / "run.html")
    served = shop.server.get(f"/api/orchestrator/{run}/report?format=html")
    assert served["name"] == f"bigtask-{run[-6:]}.html"
    for page in (text, served["text"]):
        for secret in (root, home, "ada@example.org", SECRET):
            assert secret not in page
        for mark in ("&lt;project&gt;", "&lt;email&gt;"):
            assert mark in page
    assert "correct-horse-battery" not in text  # the server's environment has no such variable


def test_a_run_that_goes_on_can_be_exported_as_it_stands(
    shop: Workshop, chromium: Browser, tmp_path: Path
) -> None:
    exported(shop, shop.planned(), tmp_path / "run.html")
    page = opened(chromium, tmp_path / "run.html", [], [])
    try:
        page.locator(".headline").wait_for()
        assert page.locator(".river .bar.reserved").count() == 2
    finally:
        page.context.close()


def test_nothing_is_overwritten(shop: Workshop, tmp_path: Path) -> None:
    file = tmp_path / "run.html"
    file.write_text("mine")
    done = subprocess.run(
        [sys.executable, "-m", "bigtask", "export", shop.planned(), str(file)],
        env=environment(shop.desk.home.path),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert "is there already: choose another name" in done.stderr
    assert file.read_text() == "mine"
