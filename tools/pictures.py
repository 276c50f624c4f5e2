"""Makes docs/pictures/: what the dashboard looks like. usage: .venv/bin/python tools/pictures.py

Needs Playwright (tools/setup agents) and Chromium. The runs are those of `bigtask serve --demo`.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from palette_png import Pixels, moving, still
from playwright.sync_api import Browser, Page, sync_playwright

FOLDER = Path("docs/pictures")
STILL_LIMIT = 150_000
MOVING_LIMIT = 1_500_000
FRAME_MS = 500
LAST_MS = 4_000
MOST_FRAMES = 90
PATIENCE_MS = 120_000

TOUR = "Write the missing tests and a page of documentation for every module"
CONFLICT = "Let a report be sorted by name"
LIMIT = "Give every message of the command"
KILLED = "Write an example for every function"

# In a page of its own: the browser knows how to read its own pictures. The colours that are used most stay
# as they are, the others become the nearest of those.
INDEXED = """
async (pictures) => {
  const shots = [];
  const count = new Map();
  for (const picture of pictures) {
    const blob = await (await fetch("data:image/png;base64," + picture)).blob();
    const bitmap = await createImageBitmap(blob);
    const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
    const context = canvas.getContext("2d");
    context.drawImage(bitmap, 0, 0);
    const data = new Uint32Array(context.getImageData(0, 0, bitmap.width, bitmap.height).data.buffer);
    for (const one of data) count.set(one, (count.get(one) ?? 0) + 1);
    shots.push({ data, width: bitmap.width, height: bitmap.height });
  }
  const chosen = [...count].sort((a, b) => b[1] - a[1]).slice(0, 256).map(([one]) => one);
  const parts = (one) => [one & 255, (one >> 8) & 255, (one >> 16) & 255];
  const known = new Map(chosen.map((one, number) => [one, number]));
  const rgb = chosen.map(parts);
  for (const one of count.keys()) {
    if (known.has(one)) continue;
    const [r, g, b] = parts(one);
    let best = 0;
    let least = Infinity;
    rgb.forEach(([R, G, B], number) => {
      const far = (r - R) ** 2 + (g - G) ** 2 + (b - B) ** 2;
      if (far < least) [best, least] = [number, far];
    });
    known.set(one, best);
  }
  const text = (bytes) => {
    let said = "";
    for (let at = 0; at < bytes.length; at += 32768) {
      said += String.fromCharCode(...bytes.subarray(at, at + 32768));
    }
    return btoa(said);
  };
  return {
    width: shots[0].width,
    height: shots[0].height,
    colours: text(new Uint8Array(rgb.flat())),
    frames: shots.map(({ data }) => text(Uint8Array.from(data, (one) => known.get(one)))),
  };
}
"""


def main() -> int:
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        raise SystemExit("Chromium isn't installed: apt-get install chromium")
    FOLDER.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        workbench = browser.new_page()
        # Each in a demonstration that has just begun: later its runs are small in their pictures.
        for take in (take_tour, take_stills):
            with demonstration() as link:
                page = signed_in(browser, link)
                take(page, workbench)
                page.context.close()
        browser.close()
    return 0


def signed_in(browser: Browser, link: str) -> Page:
    size = {"width": 1080, "height": 660}
    page = browser.new_context(locale="en-GB", viewport=size, reduced_motion="reduce").new_page()
    page.set_default_timeout(PATIENCE_MS)
    page.goto(link)
    return page


@contextmanager
def demonstration() -> Iterator[str]:
    """Its link."""
    bigtask = Path(sys.executable).with_name("bigtask")
    env = {name: value for name, value in os.environ.items() if not name.startswith(("ANTHROPIC_", "CLAUDE"))}
    command = [bigtask, "serve", "--demo", "--json"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=env)
    try:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())["link"]
    finally:
        process.send_signal(signal.SIGINT)
        process.wait()


def show(page: Page, request: str) -> None:
    page.locator("nav a", has_text="Runs").click()
    page.locator(".run", has_text=request).click()
    page.locator(".river .bar").first.wait_for()


def take_tour(page: Page, workbench: Page) -> None:
    """From the plan over the question to the end: `river.png` is the moment of the question."""
    show(page, TOUR)
    page.locator(".river .coming").first.wait_for()
    frames, asked = [], False
    while len(frames) < MOST_FRAMES:
        frames.append(page.screenshot())
        page.wait_for_timeout(FRAME_MS)
        if page.locator(".stands.complete").count():
            break
        if (
            not asked
            and page.locator(".bar.waiting").count()
            and not page.locator(".bar.live:not(.waiting)").count()
        ):
            asked = True
            save(workbench, "river.png", [page.screenshot(clip=of_content(page))])
            page.keyboard.press("1")
            page.wait_for_timeout(FRAME_MS)
            frames.append(page.screenshot())
            page.get_by_role("button", name="Allow", exact=True).click()
    page.wait_for_timeout(FRAME_MS)
    frames.append(page.screenshot())
    save(workbench, "run.png", frames)


def take_stills(page: Page, workbench: Page) -> None:
    for request, name, until, theme in (
        (CONFLICT, "conflict", ".thread", "light"),
        (LIMIT, "limit", ".limit text", "dark"),
        (TOUR, "graph", ".bar.waiting", "dark"),
        (KILLED, "killed", ".stands.complete", "light"),
    ):
        page.emulate_media(color_scheme="dark" if theme == "dark" else "light")
        show(page, request)
        page.locator(until).first.wait_for()
        if name == "graph":
            page.keyboard.press("g")
            page.locator(".node").first.wait_for()
        save(workbench, f"{name}.png", [page.screenshot(clip=of_content(page))])


def of_content(page: Page) -> Any:
    """The page without the emptiness below."""
    size = page.viewport_size
    assert size is not None
    ends = page.locator("main > *, .waits").evaluate_all(
        "(all) => Math.max(...all.map((one) => one.getBoundingClientRect().bottom))"
    )
    return {"x": 0, "y": 0, "width": size["width"], "height": min(size["height"], round(ends) + 16)}


def save(workbench: Page, name: str, frames: list[bytes]) -> None:
    """Raises SystemExit for a file that is too large to show."""
    found = workbench.evaluate(INDEXED, [base64.b64encode(frame).decode() for frame in frames])
    pixels = Pixels(
        width=found["width"],
        height=found["height"],
        colours=base64.b64decode(found["colours"]),
        frames=[base64.b64decode(frame) for frame in found["frames"]],
    )
    moves = len(frames) > 1
    data = moving(pixels, frame_ms=FRAME_MS, last_ms=LAST_MS) if moves else still(pixels)
    if len(data) > (MOVING_LIMIT if moves else STILL_LIMIT):
        raise SystemExit(f"{name} has {len(data):,} bytes, which is too many")
    (FOLDER / name).write_bytes(data)
    sys.stdout.write(f"{FOLDER / name}: {len(data):,} bytes, {len(frames)} frames\n")


if __name__ == "__main__":
    raise SystemExit(main())
