"""A server as its person has one: the real command, in a process of its own, on a port of loopback."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from projects import ENV

PATIENCE_S = 30.0


@dataclass(frozen=True)
class Answered:
    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def said(self) -> dict[str, Any]:
        found = json.loads(self.text)
        assert isinstance(found, dict)
        return found


@dataclass
class Served:
    home: Path
    process: subprocess.Popen[str]
    url: str
    link: str
    _told: list[str] = field(default_factory=list)

    @property
    def port(self) -> int:
        port = urlsplit(self.url).port
        assert port is not None
        return port

    @property
    def token(self) -> str:
        return (self.home / "server" / "token").read_text().strip()

    @property
    def delegate(self) -> str:
        return (self.home / "server" / "delegate-token").read_text().strip()

    def ask(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        token: str | None = "",
        headers: Mapping[str, str] | None = None,
    ) -> Answered:
        """With the owner's token, unless another one or none is given."""
        sent = dict(headers or {})
        if token is not None:
            sent.setdefault("Authorization", f"Bearer {token or self.token}")
        content = None
        if body is not None:
            content = body if isinstance(body, bytes) else json.dumps(body).encode()
            sent.setdefault("Content-Type", "application/json")
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_S)
        try:
            connection.request(method, path, body=content, headers=sent)
            response = connection.getresponse()
            return Answered(response.status, dict(response.headers), response.read().decode())
        finally:
            connection.close()

    def get(self, path: str) -> dict[str, Any]:
        answered = self.ask("GET", path)
        assert answered.status == 200, answered.text
        return answered.said

    def post(self, path: str, body: object = None) -> dict[str, Any]:
        answered = self.ask("POST", path, body)
        assert answered.status in (200, 201), answered.text
        return answered.said

    def events(self, run_id: str, after: int = 0) -> list[dict[str, Any]]:
        """The whole log, page by page."""
        found: list[dict[str, Any]] = []
        while page := self.get(f"/api/orchestrator/{run_id}/events?after={after}&limit=1000")["events"]:
            found += page
            after = page[-1]["seq"]
        return found

    def wait(self, run_id: str, until: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The first event of which that is true, seen over the run's event stream."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_S)
        try:
            connection.request(
                "GET",
                f"/api/orchestrator/{run_id}/events",
                headers={"Authorization": f"Bearer {self.token}", "Accept": "text/event-stream"},
            )
            response = connection.getresponse()
            assert response.status == 200
            for line in response:
                if line.startswith(b"data: "):
                    event = json.loads(line.removeprefix(b"data: "))
                    if until(event):
                        assert isinstance(event, dict)
                        return event
            raise AssertionError("the stream ended before")
        finally:
            connection.close()

    def wait_for(self, run_id: str, *types: str) -> dict[str, Any]:
        return self.wait(run_id, lambda event: event["type"] in types)


def environment(home: Path) -> dict[str, str]:
    return {
        **ENV,
        "HOME": str(home.parent),
        "BIGTASK_HOME": str(home),
        "BIGTASK_CONFIG": os.devnull,
        "CLAUDE_CONFIG_DIR": os.devnull,
        "LC_ALL": "C.UTF-8",
    }


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "bigtask", "serve", *arguments]


@contextmanager
def served(home: Path, *arguments: str, env: Mapping[str, str] | None = None) -> Iterator[Served]:
    """Until the end of the block, which ends it as its person would. A bug that it logged fails the test."""
    home.parent.mkdir(parents=True, exist_ok=True)
    process = subprocess.Popen(
        command("--port", "0", "--json", *arguments),
        env={**environment(home), **(env or {})},
        cwd=home.parent,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    alarm = threading.Timer(PATIENCE_S, process.kill)
    alarm.start()
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        alarm.cancel()
        if not line:
            raise AssertionError(f"the server didn't begin: {process.communicate()[1]}")
        said = json.loads(line)
        yield Served(home, process, said["url"], said["link"])
    finally:
        alarm.cancel()
        _, printed = end(process)
    assert "Traceback" not in printed, printed


def end(process: subprocess.Popen[str], number: int = signal.SIGTERM) -> tuple[int, str]:
    """Its status, and what it said on stderr."""
    if process.poll() is None:
        process.send_signal(number)
    try:
        _, said = process.communicate(timeout=PATIENCE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        _, said = process.communicate()
    return process.returncode, said
