"""The child program as its host drives it: a real process, real lines."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from bigtask.agents.offline.block import END, START
from bigtask.agents.protocol import Prompt, SessionEvent, Text, ToolCall, TurnEnded, UsageReported
from bigtask.agents.wire import Request, decode_event, encode

NONCE = "n0nce"


@dataclass
class Answer:
    events: list[SessionEvent]
    blocks: list[dict[str, Any]] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "".join(event.text for event in self.events if isinstance(event, Text))

    @property
    def end(self) -> TurnEnded:
        assert isinstance(self.events[-1], TurnEnded)
        return self.events[-1]

    @property
    def data(self) -> dict[str, Any]:
        """What the last block says."""
        return dict(self.blocks[-1]["data"])

    def tools(self, kind: str) -> list[str | None]:
        return [event.path for event in self.events if isinstance(event, ToolCall) and event.kind == kind]

    @property
    def usage(self) -> list[UsageReported]:
        return [event for event in self.events if isinstance(event, UsageReported)]


class Child:
    def __init__(self, root: Path) -> None:
        kept = {key: value for key, value in os.environ.items() if key in {"PATH", "HOME", "LANG", "TMPDIR"}}
        self.root = root
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", "bigtask.agents.offline"],
            cwd=root,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=kept,
        )

    def say(self, request: Request | bytes) -> None:
        assert self.process.stdin
        self.process.stdin.write(request if isinstance(request, bytes) else encode(request))
        self.process.stdin.flush()

    def hear(self) -> SessionEvent:
        assert self.process.stdout
        return decode_event(self.process.stdout.readline())

    def answer(self) -> Answer:
        answer = Answer([self.hear()])
        while not isinstance(answer.events[-1], TurnEnded):
            answer.events.append(self.hear())
        answer.blocks = blocks(answer.text)
        return answer

    def ask(self, phase: str, **variables: Any) -> Answer:
        self.say(prompt(phase, self.root, **variables))
        return self.answer()

    def close(self) -> int:
        assert self.process.stdin
        assert self.process.stdout
        assert self.process.stderr
        try:
            self.process.stdin.close()
            return self.process.wait(20)
        finally:
            self.process.kill()
            self.process.wait()
            self.process.stdout.close()
            self.process.stderr.close()


def prompt(phase: str, root: Path, **variables: Any) -> Prompt:
    given = {"CWD": str(root), "PROJECT_NAME": root.name, "USER_REQUEST": "Document it", **variables}
    return Prompt(text="not read", phase=phase, variables=given, nonce=NONCE)


def blocks(text: str) -> list[dict[str, Any]]:
    found = []
    for piece in text.split(START)[1:]:
        body, mark, _ = piece.partition(END)
        assert mark
        found.append(json.loads(body))
    return found


@pytest.fixture
def child(tmp_path: Path) -> Iterator[Child]:
    """A child in an empty directory called `project`."""
    root = tmp_path / "project"
    root.mkdir()
    started = Child(root)
    try:
        yield started
    finally:
        started.close()
