"""`bigtask serve --demo`: a real process, and what a person sees of each run that it plays."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from bigtask.demo.temporary_place import temporary_place
from projects import ENV
from server.served import PATIENCE_S, end

from .conftest import PATIENCE_MS
from .test_everybody import AXE

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

REQUESTS = {
    "tour": "Write the missing tests and a page of documentation for every module",
    "killed": "Write an example for every function",
    "conflict": "Let a report be sorted by name, and show the share of each category",
    "limit": "Give every message of the command in German and French",
    "plan": "Read bank statements as well as expense files",
    "finished": "Document the command line and the file format",
}


@dataclass
class Demonstration:
    process: subprocess.Popen[str]
    place: Path
    """Where temporary files go, the demonstration's among them."""
    home: Path
    url: str
    link: str


def begin(place: Path) -> Demonstration:
    """The person's home and configuration would fail whatever looks at them."""
    (place / "home").write_text("not a folder")
    (place / "config.toml").write_text("this isn't TOML")
    (place / "tmp").mkdir(exist_ok=True)
    env = {
        **ENV,
        "HOME": str(place),
        "TMPDIR": str(place / "tmp"),
        "BIGTASK_HOME": str(place / "home"),
        "BIGTASK_CONFIG": str(place / "config.toml"),
        "BIGTASK_AGENT": "claude",
        "ANTHROPIC_API_KEY": "made-up",
        "LC_ALL": "C.UTF-8",
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "bigtask", "serve", "--demo", "--json"],
        env=env,
        cwd=place,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    alarm = threading.Timer(PATIENCE_S, process.kill)
    alarm.start()
    assert process.stdout is not None
    line = process.stdout.readline()
    alarm.cancel()
    assert line, process.communicate()[1]
    said = json.loads(line)
    return Demonstration(process, place / "tmp", Path(said["home"]), said["url"], said["link"])


def processes_below(place: Path) -> list[str]:
    """Those that work in that folder or were told of it."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            told = (folder / "cmdline").read_bytes() + (folder / "environ").read_bytes()
            if str(place).encode() in told and folder.name != str(os.getpid()):
                found.append((folder / "cmdline").read_bytes().replace(b"\0", b" ").decode())
        except OSError:
            continue
    return found


def wait_until_gone(place: Path) -> None:
    """Until nothing that was told of that folder runs any more."""
    until = time.monotonic() + PATIENCE_S
    while processes_below(place):
        assert time.monotonic() < until, processes_below(place)
        time.sleep(0.05)


@pytest.fixture(scope="module")
def demonstration(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demonstration]:
    found = begin(tmp_path_factory.mktemp("demo"))
    try:
        yield found
    finally:
        end(found.process)


@pytest.fixture(scope="module")
def page(chromium: Browser, demonstration: Demonstration) -> Iterator[Page]:
    context = chromium.new_context(locale="en-GB", viewport={"width": 1600, "height": 900})
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    page.goto(demonstration.link)
    page.get_by_role("heading", name="Runs").wait_for()
    yield page
    context.close()


def show(page: Page, demonstration: Demonstration, name: str) -> None:
    page.goto(f"{demonstration.url}/#/")
    page.get_by_role("link", name=re.compile(REQUESTS[name])).first.click()
    page.get_by_role("heading", name=REQUESTS[name]).wait_for()


def test_a_limit_is_a_band_with_the_time_of_its_end(page: Page, demonstration: Demonstration) -> None:
    show(page, demonstration, "limit")
    page.get_by_text("At a limit", exact=True).wait_for()
    said = page.locator(".limit text").text_content() or ""
    wakes = re.fullmatch(r"usage limit until (\d\d:\d\d:\d\d)", said)
    assert wakes, said
    assert f"1 waits for the account until {wakes[1]}" in page.locator(".headline").inner_text()
    page.get_by_role(
        "button", name=re.compile("French: what it says, attempt 1: waits for its account")
    ).wait_for()


@pytest.mark.parametrize(
    ("name", "sign"),
    [("limit", ".limit"), ("conflict", ".thread"), ("tour", ".bar.waiting"), ("killed", ".seam")],
)
def test_what_is_rare_is_in_everybody_s_reach_too(
    page: Page, demonstration: Demonstration, name: str, sign: str
) -> None:
    show(page, demonstration, name)
    page.locator(sign).first.wait_for()
    for form, theme, width in (("river", "light", 360), ("river", "dark", 1600), ("graph", "light", 1600)):
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme="dark" if theme == "dark" else "light")
        if form == "graph":
            page.keyboard.press("g")
            page.locator(".node").first.wait_for()
        # By the debugging protocol: the page's own policy lets no other script in.
        page.evaluate(AXE.read_text() + "; undefined")
        found = page.evaluate(
            "axe.run(document, {resultTypes: ['violations']}).then((told) => told.violations)"
        )
        assert [(one["id"], node["html"][:160]) for one in found for node in one["nodes"]] == []
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_one_waits_for_a_permission_after_a_task_that_was_tried_again(
    page: Page, demonstration: Demonstration
) -> None:
    show(page, demonstration, "tour")
    bar = page.get_by_role("button", name=re.compile("attempt 1: waits for you, key 1"))
    bar.wait_for()
    failed = page.get_by_role(
        "button", name=re.compile(r"^Test tally\.entries, attempt 1: failed: .*unittest")
    )
    failed.wait_for()
    page.get_by_role("button", name=re.compile(r"^Test tally\.entries, attempt 2: done")).wait_for()
    page.keyboard.press("g")
    page.get_by_role("button", name="Document the report: waits for you, key 1").wait_for()
    page.get_by_role("button", name="Test tally.entries: done, attempt 2").wait_for()
    page.keyboard.press("1")
    page.locator(".waits .card:focus").wait_for()
    page.get_by_role("button", name="Allow", exact=True).click()
    page.get_by_text("Complete", exact=True).wait_for()
    assert page.locator(".headline").inner_text().startswith("Complete 7 of 7 proved")


def test_two_that_changed_the_same_lines_are_joined_by_a_thread(
    page: Page, demonstration: Demonstration
) -> None:
    show(page, demonstration, "conflict")
    page.get_by_role("button", name=re.compile("share, attempt 1: waits for you, key 1")).wait_for()
    assert page.locator(".thread title").text_content() == "in conflict: tally/report.py"
    assert page.locator(".river .coming").count() == 1
    page.get_by_role("button", name="Keep what is merged", exact=True).click()
    page.get_by_text("Complete", exact=True).wait_for()
    page.locator(".thread.over").wait_for()


def test_a_process_was_killed_and_its_run_went_on(page: Page, demonstration: Demonstration) -> None:
    show(page, demonstration, "killed")
    page.get_by_text("Complete", exact=True).wait_for()
    stopped = page.locator(".seam text").text_content() or ""
    times = re.fullmatch(r"stopped (\S+), back (\S+)", stopped)
    assert times, stopped
    assert times[1] != times[2]
    lost = page.get_by_role("button", name=re.compile("attempt 1: ended with its process"))
    assert lost.count() >= 2
    seam, bar = page.locator(".seam rect").bounding_box(), lost.first.locator(".body").bounding_box()
    assert seam
    assert bar
    assert bar["x"] + bar["width"] <= seam["x"] + 3


def test_a_plan_waits_with_all_that_is_to_come(page: Page, demonstration: Demonstration) -> None:
    show(page, demonstration, "plan")
    page.get_by_text("Start 5 tasks as planned?").wait_for()
    assert page.locator(".river .coming").count() == 5
    right = page.locator(".river").bounding_box()
    assert right is not None
    for number in range(5):
        box = page.locator(".river .coming .body").nth(number).bounding_box()
        assert box
        assert box["x"] + box["width"] <= right["x"] + right["width"]
    page.get_by_role("button", name="Start the work", exact=True).click()
    page.get_by_text("Complete", exact=True).wait_for()


def test_one_is_finished_with_all_its_work_proved(page: Page, demonstration: Demonstration) -> None:
    show(page, demonstration, "finished")
    page.get_by_text("Complete", exact=True).wait_for()
    assert page.locator(".headline").inner_text().startswith("Complete 4 of 4 proved")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_its_end_leaves_no_process_and_no_file_whenever_it_comes(tmp_path: Path, number: int) -> None:
    found = begin(tmp_path)
    try:
        assert len(list(found.place.iterdir())) == 1
    finally:
        status, said = end(found.process, number)
    assert status == 0, said
    assert "the demonstration and its folder are gone" in said
    assert list(found.place.iterdir()) == []
    assert processes_below(tmp_path) == []
    assert (tmp_path / "home").read_text() == "not a folder"


def test_the_next_one_clears_what_a_killed_one_left_and_nobody_else_s(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed = begin(tmp_path)
    monkeypatch.setattr(tempfile, "tempdir", str(killed.place))
    strange, linked = killed.place / "bigtask-show-strange", tmp_path / "elsewhere"
    try:
        with temporary_place() as living:
            assert killed.home.is_dir()
            end(killed.process, signal.SIGKILL)
            wait_until_gone(killed.place)
            assert killed.home.is_dir()
            strange.mkdir()
            linked.mkdir()
            (linked / "alive").touch()
            (killed.place / "bigtask-show-link").symlink_to(linked)
            following = begin(tmp_path)
            try:
                assert not killed.home.parent.exists()
                assert following.home.is_dir()
            finally:
                end(following.process)
            assert living.is_dir()
            assert strange.is_dir()
            assert (linked / "alive").exists()
    finally:
        end(killed.process, signal.SIGKILL)


def test_it_is_for_this_machine_alone() -> None:
    command = [sys.executable, "-m", "bigtask", "serve", "--demo", "--link"]
    said = subprocess.run(command, env=ENV, capture_output=True, text=True, check=False)
    assert said.returncode == 2
    assert "leave --link out" in said.stderr


@pytest.mark.parametrize("page", ["README.md", "docs/dashboard.md"])
def test_the_pictures_that_a_page_shows_are_there_and_small(page: str) -> None:
    root = Path(__file__).parents[2]
    shown = re.findall(r"!\[[^\]]+\]\(([^)]+\.png)\)", (root / page).read_text())
    assert shown
    for name in shown:
        picture = (root / page).parent / name
        data = picture.read_bytes()
        assert data.startswith(b"\x89PNG\r\n\x1a\n")
        assert len(data) <= (1_500_000 if b"acTL" in data[:100] else 150_000)


def test_every_picture_is_shown_somewhere() -> None:
    root = Path(__file__).parents[2]
    said = (root / "README.md").read_text() + (root / "docs/dashboard.md").read_text()
    assert [
        one.name for one in (root / "docs/pictures").iterdir() if f"pictures/{one.name})" not in said
    ] == []
