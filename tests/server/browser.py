"""A real Chromium without a window, with pages by their addresses."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from websockets.sync.client import connect

PATIENCE_S = 240


def needs_chromium() -> str:
    """Where it is. Skips the test where it isn't installed; in CI that is a failure."""
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        assert not os.environ.get("CI"), "CI runs this with a browser: apt-get install chromium"
        pytest.skip("Chromium isn't installed: apt-get install chromium")
    return found


@dataclass
class Page:
    address: str

    def evaluate(self, expression: str) -> Any:
        """What it comes to, as JSON; promises are awaited."""
        asked = {"expression": expression, "awaitPromise": True, "returnByValue": True}
        with connect(self.address, max_size=None, open_timeout=PATIENCE_S, compression=None) as way:
            way.send(json.dumps({"id": 1, "method": "Runtime.evaluate", "params": asked}))
            while (said := json.loads(way.recv(timeout=PATIENCE_S))).get("id") != 1:
                pass
        if "error" in said:
            return None  # the page is just being left for the next one
        assert "exceptionDetails" not in said["result"], said
        return said["result"]["result"].get("value")

    def until(self, expression: str) -> Any:
        end = time.monotonic() + PATIENCE_S
        while not (found := self.evaluate(expression)):
            assert time.monotonic() < end, f"never: {expression}"
        return found


@dataclass
class Browser:
    port: int

    def open(self, url: str) -> Page:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_S)
        try:
            connection.request("PUT", f"/json/new?{quote(url, safe='')}")
            return Page(json.loads(connection.getresponse().read())["webSocketDebuggerUrl"])
        finally:
            connection.close()


@contextmanager
def browser(folder: Path, *names: str) -> Iterator[Browser]:
    """`names` are rules like `MAP evil.example 127.0.0.1`; nothing else is reached."""
    program = needs_chromium()
    rules = ", ".join((*names, "MAP * ~NOTFOUND", "EXCLUDE 127.0.0.1", "EXCLUDE localhost"))
    process = subprocess.Popen(
        [
            *(program, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"),
            *("--no-first-run", "--disable-background-networking", "--disable-component-update"),
            *("--disable-popup-blocking", "--remote-debugging-port=0", f"--user-data-dir={folder}"),
            *(f"--host-resolver-rules={rules}", "about:blank"),
        ],
        env={"PATH": os.environ["PATH"], "HOME": str(folder), "LC_ALL": "C.UTF-8"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        file = folder / "DevToolsActivePort"
        end = time.monotonic() + PATIENCE_S
        while not file.exists() or not file.read_text().strip():
            assert process.poll() is None, "Chromium ended at once"
            assert time.monotonic() < end, "Chromium doesn't begin"
        yield Browser(int(file.read_text().split()[0]))
    finally:
        process.kill()
        process.wait()
