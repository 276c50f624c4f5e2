"""The page of a run of 1,000 tasks and 10,000 events, in Chromium over a real server.

first paint       from the navigation until the browser has painted something, in ms
river             until all events are heard and every bar that is in view is drawn
click, zoom …     from the input until the frame that answers it is painted: median and longest of --times,
                  and the processor time of the page's main thread for each, which other work on the machine
                  doesn't lengthen
heap              of the page's own objects after a collection, before and after what 10 minutes bring at ten
                  events a second; they are sent one frame after the other, which takes less than that

Needs Chromium and Playwright: `tools/setup agents`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import signal
import statistics
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, BrowserContext, CDPSession, Page, async_playwright

from bigtask.core.events import WorkerStarted
from bigtask.core.values import RESERVED
from bigtask.host.creation import Options
from bigtask.module import OrchestratorModule
from kit.command import tell
from kit.scratch import scratch

_TASKS = 1_000
_LAYERS = 5
_EVENTS = 10_000
_PROGRESS = 7
_SLOTS = 16
_LATER = 6_000
"""Ten minutes at ten events a second."""
_BATCH = 20
_PATIENCE_MS = 120_000

_BEGIN = "async () => { const page = document; const began = performance.now();"
# Until the frame is painted in which the page has answered.
_END = """await new Promise((done) => requestAnimationFrame(() => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = done;
    port2.postMessage(null);
  }));
  return performance.now() - began;
}"""

_RIVER = """const river = page.querySelector('.river');
  const box = river.getBoundingClientRect();
  const at = (x, y, more = {}) => ({
    clientX: box.left + x * box.width, clientY: box.top + y, bubbles: true, cancelable: true, ...more,
  });
"""
_DOWN = "river.dispatchEvent(new PointerEvent('pointerdown', at(%s)));"
_MOVE = "dispatchEvent(new PointerEvent('pointermove', at(%s)));"
_UP = "dispatchEvent(new PointerEvent('pointerup'));"
_KEY = "page.body.dispatchEvent(new KeyboardEvent('keydown', {key: '%s', bubbles: true}));"
_ACTS = {
    "click": """const bars = page.querySelectorAll('.bar');
      bars[(Math.random() * bars.length) | 0].dispatchEvent(new MouseEvent('click', {bubbles: true}));""",
    "zoom": _RIVER
    + """const deltaY = Math.random() < 0.5 ? 60 : -60;
      river.dispatchEvent(new WheelEvent('wheel', at(0.5, 100, {deltaY, ctrlKey: true})));""",
    "drag of the view": _RIVER + _DOWN % "0.3, 100" + _MOVE % "0.31 + Math.random() / 9, 100" + _UP,
    "drag of the now-line": _RIVER + _DOWN % "Math.random(), 8" + _MOVE % "Math.random(), 8" + _UP,
    "step in time": _KEY % "ArrowLeft",
    "graph and river": _KEY % "g",
}
_FILTER = """const field = page.querySelector('input[type=search]');
  field.value = Math.random() < 0.5 ? 'every' : 'at';
  field.dispatchEvent(new Event('input', {bubbles: true}));"""
_BACK = {"click": "Escape", "zoom": "0", "drag of the view": "0", "drag of the now-line": "End"}


def script(tasks: int) -> dict[str, Any]:
    wide = tasks // _LAYERS
    plan = [
        {"id": f"t{n:04}", "title": f"Task {n}", "dependencies": [f"t{n - wide:04}"] if n >= wide else []}
        for n in range(tasks)
    ]
    # Long enough to be told of while it works.
    steps = [{"do": "delay", "seconds": 0.1}]
    turns = [{"when": {"phase": "workerExecution"}, "steps": [*steps, {"do": "answer"}]}]
    return {"tasks": plan, "turns": turns}


async def made(place: Path, tasks: int) -> tuple[Path, str, int]:
    """A home, its run, and how many events that has."""
    home, project = place / "home", place / "project"
    (home / "templates").mkdir(parents=True)
    project.mkdir()
    (place / "script.json").write_text(json.dumps(script(tasks)))
    template = {
        "id": "wide",
        "name": "Wide",
        "extends": "_default",
        "config": {"spawnDelay": 0, "isolation": "none", "maxWorkers": _SLOTS, "autoSpawn": True},
        "phases": {"taskPlanning": {"validation": {"maxTasks": _TASKS}}},
    }
    (home / "templates" / "wide.json").write_text(json.dumps(template))
    async with OrchestratorModule(f"scripted:{place / 'script.json'}", home=home, environ={}) as module:
        run = await module.orchestrators.create(
            template_id="wide", cwd=project, message="Everything at once", options=Options(yes=True)
        )
        await module.orchestrators.start(run.id)
        last = 0
        async for event in module.events(run.id):
            last = event.seq
            if isinstance(event.data, WorkerStarted) and event.data.task_id not in RESERVED:
                for n in range(_PROGRESS):
                    await module.workers.report(run.id, event.data.task_id, 1, percent=100 * n / _PROGRESS)
    return home, run.id, last


class Visit:
    """A page of the run, which keeps its WebSocket where `later` finds it."""

    def __init__(self, page: Page) -> None:
        self.page = page

    async def listen(self) -> None:
        await self.page.add_init_script(
            """window.WebSocket = class extends WebSocket {
              constructor(...given) { super(...given); window.way = this; }
            };"""
        )

    async def later(self, run_id: str, after: int, events: int) -> None:
        """What comes to the page as if the server had said it."""
        await self.page.evaluate(
            """async ({runId, after, events, batch, tasks}) => {
              for (let number = 0; number < events; number += 1) {
                const taskId = `t${String(number % tasks).padStart(4, "0")}`;
                const data = {taskId, attempt: 1, percent: number % 100};
                const said = {seq: after + number + 1, type: "worker:progress", orchestratorId: runId, data};
                window.way.onmessage({data: JSON.stringify({...said, at: new Date().toISOString()})});
                if (number % batch === 0) await new Promise(requestAnimationFrame);
              }
            }""",
            {"runId": run_id, "after": after, "events": events, "batch": _BATCH, "tasks": _TASKS},
        )

    async def painted(self, act: str, times: int) -> dict[str, float]:
        session = await self.page.context.new_cdp_session(self.page)
        await session.send("Performance.enable", {"timeDomain": "threadTicks"})
        began = await _metrics(session)
        found = [float(await self.page.evaluate(_BEGIN + act + _END)) for _ in range(times)]
        used_s = (await _metrics(session))["TaskDuration"] - began["TaskDuration"]
        await session.detach()
        return {
            "median_ms": round(statistics.median(found), 1),
            "most_ms": round(max(found), 1),
            "cpu_ms": round(1000 * used_s / times, 1),
        }

    async def heap_mb(self) -> float:
        session = await self.page.context.new_cdp_session(self.page)
        await session.send("HeapProfiler.collectGarbage")
        await session.send("HeapProfiler.collectGarbage")
        await session.send("Performance.enable")
        used = await _metrics(session)
        await session.detach()
        return round(used["JSHeapUsedSize"] / 1e6, 2)


async def _metrics(session: CDPSession) -> dict[str, float]:
    told = await session.send("Performance.getMetrics")
    return {one["name"]: float(one["value"]) for one in told["metrics"]}


async def measured(context: BrowserContext, url: str, run_id: str, last: int, times: int) -> dict[str, Any]:
    page = await context.new_page()
    page.set_default_timeout(_PATIENCE_MS)
    visit = Visit(page)
    await visit.listen()
    await page.goto(f"{url}/#/runs/{run_id}")
    await page.wait_for_function(
        "(last) => document.querySelector('#time')?.max === String(last) && document.querySelector('.bar')",
        arg=last,
        polling="raf",
    )
    river_ms = await page.evaluate("performance.now()")
    painted_ms = await page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
    found: dict[str, Any] = {
        "bars": await page.locator(".bar").count(),
        "first_paint_ms": round(painted_ms, 1),
        "river_ms": round(river_ms, 1),
    }
    for name, act in _ACTS.items():
        found[name] = await visit.painted(act, times)
        await page.keyboard.press(_BACK.get(name, "End"))
    heap = [await visit.heap_mb()]
    for half in range(2):
        await visit.later(run_id, last + half * _LATER // 2, _LATER // 2)
        heap.append(await visit.heap_mb())
    found["heap_mb"] = heap
    found["later_events"] = _LATER
    await page.goto(f"{url}/#/")
    await page.locator(".run").first.wait_for()
    found["filter"] = await visit.painted(_FILTER, times)
    await page.close()
    return found


async def measure(place: Path, *, times: int) -> dict[str, Any]:
    home, run_id, last = await made(place, _TASKS)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bigtask", "serve", "--port", "0", "--json"),
        env={**os.environ, "BIGTASK_HOME": str(home), "BIGTASK_CONFIG": os.devnull},
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        said = json.loads(await process.stdout.readline())
        async with async_playwright() as playwright:
            browser: Browser = await playwright.chromium.launch(
                executable_path=shutil.which("chromium"), args=["--no-sandbox"]
            )
            context = await browser.new_context(viewport={"width": 1600, "height": 900})
            page = await context.new_page()
            await page.goto(said["link"])
            await page.locator("h1").wait_for()
            await page.close()
            found = await measured(context, said["url"], run_id, last, times)
            about = browser.version
            await browser.close()
        errors = [] if last >= _EVENTS else [f"the run has {last} events, not {_EVENTS}"]
        return {
            "system": "bigtask",
            "variant": "dashboard",
            "version": version("bigtask"),
            "browser": about,
            "workload": f"{_TASKS} tasks",
            "events": last,
            **found,
            "errors": errors,
        }
    finally:
        process.send_signal(signal.SIGTERM)
        await process.wait()


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--times", type=int, default=15)
    options = parser.parse_args()
    with scratch() as place:
        return tell(asyncio.run(measure(place, times=options.times)))


if __name__ == "__main__":
    sys.exit(main())
