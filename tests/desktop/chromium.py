"""A real Chromium without a window, which shows the page that stands for the application's."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import connect

PATIENCE_S = 60.0


def needs_chromium() -> str:
    """Its path. Skips the test where it isn't installed; in CI that is a failure."""
    found = shutil.which("chromium")
    if found is None:
        assert not os.environ.get("CI"), "CI runs this with the package chromium"
        pytest.skip("Chromium isn't installed: apt-get install chromium")
    return found


class Browser:
    """It always listens at the same port, and keeps its profile when it is started again."""

    def __init__(self, program: str, folder: Path, page_port: int, arguments: tuple[str, ...] = ()) -> None:
        self._program = program
        self._arguments = arguments
        self._folder = folder
        self._page_port = page_port
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = int(free.getsockname()[1])
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        rules = f"MAP claude.ai:80 127.0.0.1:{self._page_port}, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"
        argv = [
            *(self._program, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"),
            *("--disable-dev-shm-usage", "--disable-breakpad", "--disable-background-networking"),
            *("--disable-component-update", "--disable-features=HttpsUpgrades", "--password-store=basic"),
            f"--user-data-dir={self._folder / 'profile'}",
            f"--remote-debugging-port={self.port}",
            f"--host-resolver-rules={rules}",
            *self._arguments,
            "http://claude.ai/",
        ]
        env = {"PATH": os.environ["PATH"], "HOME": str(self._folder), "TMPDIR": str(self._folder)}
        quiet = subprocess.DEVNULL
        self._process = subprocess.Popen(  # noqa: ASYNC220 - it takes no time, and its end is waited for
            argv, env=env, stdin=quiet, stdout=quiet, stderr=quiet, start_new_session=True
        )
        async with asyncio.timeout(PATIENCE_S):
            while await asyncio.to_thread(self.page) is None or not await self._loaded():
                assert self._process.poll() is None, "Chromium doesn't start"
                await asyncio.sleep(0.05)

    async def _loaded(self) -> bool:
        asked = "location.protocol === 'http:' && document.readyState === 'complete'"
        told = await self.tell("Runtime.evaluate", expression=asked)
        return bool(told and told["result"].get("value"))

    def page(self) -> dict[str, Any] | None:
        try:
            with urllib.request.urlopen(f"{self.url}/json/list", timeout=5) as answer:  # noqa: S310 - ours
                listed = json.load(answer)
        except OSError:
            return None
        return next((one for one in listed if one["type"] == "page" and "claude.ai" in one["url"]), None)

    async def end(self) -> None:
        if self._process is None:
            return
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        await asyncio.to_thread(self._process.wait)
        self._process = None

    async def crash(self) -> None:
        """Of the page's process. The browser says so once it has happened; whoever only sent the order and
        went would have it forgotten now and then."""
        await self.tell("Page.crash", until="Inspector.targetCrashed")

    async def tell(self, method: str, *, until: str = "", **parameters: Any) -> Any:
        """As somebody else at the same page. `until` names the event to wait for where there is no answer."""
        page = await asyncio.to_thread(self.page)
        assert page is not None
        url = f"ws://127.0.0.1:{self.port}/devtools/page/{page['id']}"
        async with asyncio.timeout(PATIENCE_S), connect(url, proxy=None, max_size=None) as socket:
            await socket.send(json.dumps({"id": 1, "method": method, "params": parameters}))
            while True:
                told = json.loads(await socket.recv())
                if told.get("method" if until else "id") == (until or 1):
                    return told.get("result")


@asynccontextmanager
async def browsing(page_port: int, arguments: tuple[str, ...] = ()) -> AsyncIterator[Browser]:
    program = needs_chromium()
    folder = Path(tempfile.mkdtemp(prefix="bigtask-chromium-"))
    browser = Browser(program, folder, page_port, arguments)
    try:
        await browser.start()
        yield browser
    finally:
        await browser.end()
        shutil.rmtree(folder, ignore_errors=True)
