"""A whole run with the real Claude Code: four tasks in a diamond on a small package, and what can go wrong.

`core` is built on by `shout` and `polite`, and `tie` brings these together. What the model says depends only
on the conversation that it is shown, so it goes on wherever a session was cut off.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from claude.rows import COMPLETION, cli_of
from claude.setting import KEY
from claude.stub import Call, Reply, Request, Stub, stubbed
from projects import ENV, Project, repository

PATIENCE_S = 240.0
TESTED = "python3 -m unittest -q tests.test_shout"
"""What `shout` needs a permission for."""
FILES = {
    "greet/__init__.py": '"""Greetings."""\n',
    "tests/__init__.py": "",
    "README.md": "# greet\n",
    ".gitignore": "__pycache__/\n",
}
_TEST = """\
import unittest

from greet.{name} import {name}


class Test(unittest.TestCase):
    def test_it(self):
        self.assertEqual({name}("Ada"), {said!r})
"""
MADE = {
    "greet/core.py": 'def core(name):\n    return f"Hello, {name}"\n',
    "greet/shout.py": "from greet.core import core\n\n\ndef shout(name):\n    return core(name).upper()\n",
    "greet/polite.py": 'from greet.core import core\n\n\ndef polite(name):\n    return f"{core(name)}."\n',
    "tests/test_core.py": _TEST.format(name="core", said="Hello, Ada"),
    "tests/test_shout.py": _TEST.format(name="shout", said="HELLO, ADA"),
    "tests/test_polite.py": _TEST.format(name="polite", said="Hello, Ada."),
}
TIED = '"""Greetings."""\n\nfrom greet.polite import polite\nfrom greet.shout import shout\n'
NEEDS: Mapping[str, Sequence[str]] = {
    "core": (),
    "shout": ("core",),
    "polite": ("core",),
    "tie": ("shout", "polite"),
}


def plan() -> list[dict[str, Any]]:
    def checked(id: str) -> list[str]:
        return ["python3", "-m", "unittest", "-q", *([] if id == "tie" else [f"tests.test_{id}"])]

    def scope(id: str) -> list[str]:
        return ["greet/__init__.py"] if id == "tie" else [f"greet/{id}.py", f"tests/test_{id}.py"]

    return [
        {
            "id": id,
            "title": f"The part {id}",
            "description": f"Make {id}.",
            "scope": scope(id),
            "dependencies": list(before),
            "checks": [{"command": checked(id)}],
        }
        for id, before in NEEDS.items()
    ]


def steps(id: str) -> list[Call]:
    if id == "tie":
        edit = {"old_string": FILES["greet/__init__.py"], "new_string": TIED}
        return [
            Call(name="Read", input={"file_path": "greet/__init__.py"}),
            Call(name="Edit", input={"file_path": "greet/__init__.py", **edit}),
        ]
    writes = [
        Call(name="Write", input={"file_path": path, "content": MADE[path]})
        for path in (f"greet/{id}.py", f"tests/test_{id}.py")
    ]
    return [*writes, Call(name="Bash", input={"command": TESTED})] if id == "shout" else writes


def report(id: str) -> Call:
    files = [call.input["file_path"] for call in steps(id) if call.name in ("Write", "Edit")]
    said = {"task_id": id, "status": "success", "summary": f"{id} is made.", "output_files": files}
    return Call(name=COMPLETION, input=said)


_OTHERS: Mapping[str, Mapping[str, Any]] = {
    "recommended_splits": {"summary": "A small package.", "recommended_splits": 4},
    "tasks": {"tasks": plan()},
    "conflicts": {"status": "success", "summary": "It fits together."},
    "issues": {"status": "passed", "summary": "Nothing is missing."},
}
"""By a field that only the schema of this answer has."""


@dataclass
class Model:
    """`storm_s`: so long everybody is refused, from when `shout` and `polite` are both at work; the first of
    them gets no answer before the other is there. `kills`: Claude Code is killed once in the middle of
    `polite`."""

    storm_s: float = 0.0
    kills: bool = False
    refused: int = 0
    killed: list[str] = field(default_factory=list)
    sessions: dict[str, set[str]] = field(default_factory=dict)
    """By task, those that have worked at it."""
    called: Counter[str] = field(default_factory=Counter)
    """By task and tool, such as `shout Bash`."""
    heard: threading.Event = field(default_factory=threading.Event)
    """The answer to the permission has arrived."""
    holds: bool = False
    """`polite` doesn't report before that, so that there is something to go on meanwhile."""
    wrote: threading.Event = field(default_factory=threading.Event)
    """`polite` has nothing left to do but to report."""
    _both: threading.Event = field(default_factory=threading.Event)
    _storm_ends: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, request: Request) -> Reply:
        if COMPLETION not in request.tools:
            fields = request.schema("StructuredOutput")["properties"]
            good = next(data for name, data in _OTHERS.items() if name in fields)
            return Reply(blocks=[Call(name="StructuredOutput", input=good)])
        id = re.findall(r"Your task is (\w+):", "\n".join(request.texts))[-1]
        with self._lock:
            self.sessions.setdefault(id, set()).add(request.session)
        refusal = self._storm(id)
        if refusal is not None:
            return refusal
        return self._work(id, request)

    def _storm(self, id: str) -> Reply | None:
        if not self.storm_s or id not in ("shout", "polite"):
            return None
        with self._lock:
            if not self._both.is_set() and {"shout", "polite"} <= self.sessions.keys():
                self._storm_ends = time.monotonic() + self.storm_s
                self._both.set()
        self._both.wait(PATIENCE_S)
        with self._lock:
            left_s = self._storm_ends - time.monotonic()
            if left_s <= 0:
                return None
            self.refused += 1
        return Reply(status=429, error="rate_limit_error", headers={"retry-after": str(int(left_s) + 1)})

    def _work(self, id: str, request: Request) -> Reply:
        done = results(request)
        ran = [text for call, text in done if call.get("command") == TESTED]
        if id == "shout" and ran:
            self.heard.set()
        reported = any("task_id" in call for call, _ in done)
        if reported:
            return Reply(blocks=["That was it."])
        for step in steps(id):
            if not any(same(step.input, call) for call, _ in done):
                return self._step(id, step, request)
        if id == "polite" and self.holds:
            self.wrote.set()
            self.heard.wait(PATIENCE_S)
        return Reply(blocks=[report(id)])

    def _step(self, id: str, step: Call, request: Request) -> Reply:
        with self._lock:
            kill = self.kills and id == "polite" and not self.killed and bool(results(request))
            if kill:
                self.killed.append(request.session)
        if kill:
            # Before anything of this answer is charged for: how much of it was heard would be chance.
            os.kill(cli_of(request.session), signal.SIGKILL)
            return Reply(status=500, error="api_error")
        self.called[f"{id} {step.name}"] += 1
        return Reply(blocks=[step])


def same(wanted: Mapping[str, Any], given: Mapping[str, Any]) -> bool:
    """Claude Code makes paths absolute."""
    if "file_path" in wanted:
        path = str(given.get("file_path", ""))
        return (
            path.endswith(wanted["file_path"])
            and given.get("content") == wanted.get("content")
            and (given.get("new_string") == wanted.get("new_string"))
        )
    return all(given.get(name) == value for name, value in wanted.items())


def results(request: Request) -> list[tuple[Mapping[str, Any], str]]:
    """What each call that has come to something was given, and what it came to."""
    called: dict[str, Mapping[str, Any]] = {}
    found = []
    for message in request.body["messages"]:
        content = message["content"]
        for block in [] if isinstance(content, str) else content:
            if block["type"] == "tool_use":
                called[block["id"]] = block["input"]
            elif block["type"] == "tool_result" and block["tool_use_id"] in called:
                text = json.dumps(block.get("content", ""))
                if "session ended before" not in text and "interrupted" not in text.lower():
                    found.append((called[block["tool_use_id"]], text))
    return found


def config() -> str:
    """The plan's checks may run although nobody was shown them."""
    commands = [task["checks"][0]["command"] for task in plan()]
    return f"spawnDelay = 0\nallowedCommands = {json.dumps(commands)}\n"


@dataclass(frozen=True, kw_only=True)
class Place:
    """A person's machine: a home, a repository, and the stub as the only thing that answers."""

    folder: Path
    project: Project
    stub: Stub
    model: Model

    @property
    def env(self) -> dict[str, str]:
        return {
            **{name: value for name, value in ENV.items() if name == "PATH" or name.startswith("GIT_")},
            "LC_ALL": "C.UTF-8",
            "HOME": str(self.folder),
            "TMPDIR": str(self.folder / "tmp"),
            "BIGTASK_HOME": str(self.folder / "home"),
            "BIGTASK_CONFIG": str(self.folder / "config.toml"),
            "CLAUDE_CONFIG_DIR": str(self.folder / "claude"),
            "ANTHROPIC_API_KEY": KEY,
            "ANTHROPIC_BASE_URL": self.stub.url,
            "HTTPS_PROXY": self.stub.url,
            "HTTP_PROXY": self.stub.url,
            "NO_PROXY": "127.0.0.1",
        }

    @asynccontextmanager
    async def begun(self, *arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
        """The command while the block runs; what is left of it afterwards is ended."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "bigtask", *arguments),
            cwd=self.project.root,
            env=self.env,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            limit=2**24,
        )
        try:
            yield process
        finally:
            if process.returncode is None:
                process.kill()
            await process.communicate()

    async def bigtask(self, *arguments: str) -> tuple[int, str, str]:
        async with self.begun(*arguments) as process, asyncio.timeout(PATIENCE_S):
            out, err = await process.communicate()
        assert process.returncode is not None
        return process.returncode, out.decode(), err.decode()

    def processes(self) -> dict[int, str]:
        """Whatever runs here, by environment, arguments or where it stands, without asking bigtask."""
        mark, found = str(self.folder).encode(), {}
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit() or int(entry.name) == os.getpid():
                continue
            try:
                said = (entry / "cmdline").read_bytes()
                seen = (entry / "environ").read_bytes() + said + os.readlink(entry / "cwd").encode()
                state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
            except OSError:
                continue
            if mark in seen and state != "Z":
                found[int(entry.name)] = said.replace(b"\0", b" ").decode(errors="replace")[:200]
        return found


@contextmanager
def placed(model: Model) -> Iterator[Place]:
    # Short: Claude Code makes a socket in it, whose path has to fit into 108 bytes.
    folder = Path(tempfile.mkdtemp(prefix="bigtask-whole-"))
    try:
        (folder / "tmp").mkdir()
        (folder / "config.toml").write_text(config())
        project = repository(folder / "project", FILES)
        with stubbed(model) as stub:
            place = Place(folder=folder, project=project, stub=stub, model=model)
            try:
                yield place
            finally:
                model.heard.set()
                for pid in place.processes():
                    os.kill(pid, signal.SIGKILL)
            assert stub.refused == []
    finally:
        shutil.rmtree(folder, ignore_errors=True)


RUN = (
    *("run", "implementation", "Greet loudly and politely", "--agent", "claude", "--yes"),
    *("--max-budget-usd", "5", "--permission-mode", "acceptEdits"),
)
