"""Secrets planted wherever a run meets text are nowhere in what it keeps, shows or hands on."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import os
import shlex
import subprocess
import sys
import zipfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from bigtask import Options, OrchestratorModule
from bigtask.agents.protocol import Opening, Session, SessionLost
from bigtask.agents.scripted.agent import ScriptedAgent
from bigtask.agents.scripted.script import script_of
from bigtask.core.commands import Answer
from bigtask.core.states import WaitingKind
from bigtask.secrecy import Secrecy
from bigtask.sink import log_to_stderr
from bigtask.templates.consent import TemplateNotApproved
from bigtask.templates.manager import TemplateManager
from projects import ENV, Project, repository
from promises.totals import record

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]

PLACES = (
    *("prompt", "output", "toolInput", "toolOutput", "stderr", "path", "branch", "error", "check", "hook"),
    *("aggregation", "question"),
)
PLANTED = {place: f"ghp_{place}{'x7Qa' * 8}" for place in PLACES}
KNOWN = {"MY_SERVICE_TOKEN": "Plain-Canary-xyz7", "DATABASE_URL": "db://ada:Quiet-Canary-9@localhost/x"}
"""Without a shape: they are known because bigtask's own environment holds them."""
ALL = (*PLANTED.values(), KNOWN["MY_SERVICE_TOKEN"], "Quiet-Canary-9")


class Dying(ScriptedAgent):
    """The first session of `dies` ends as a program does that has printed a secret before."""

    died = False

    @asynccontextmanager
    async def session(self, opening: Opening) -> AsyncIterator[Session]:
        if "dies" in opening.name and not self.died:
            self.died = True
            raise SessionLost(
                f"the agent exited with 1; its standard error: no access with {PLANTED['stderr']}"
            )
        async with super().session(opening) as session:
            yield session


def step(when: dict[str, Any], *steps: dict[str, Any]) -> dict[str, Any]:
    return {"when": when, "steps": list(steps)}


def cut(text: str) -> list[str]:
    """In pieces of five characters, as models speak."""
    return [text[at : at + 5] for at in range(0, len(text), 5)]


SCRIPT = {
    "tasks": [
        {"id": "works", "file": f"{PLANTED['path']}.txt", "content": "x\n"},
        {"id": "dies"},
        {"id": "fails"},
    ],
    "turns": [
        step(
            {"task": "works"},
            {
                "do": "say",
                "text": cut(f"I found {PLANTED['output']} in it, and env says {KNOWN}.\nSo there."),
            },
            {"do": "tool", "kind": "bash", "name": "Bash", "detail": f"curl -H 'x: {PLANTED['toolInput']}'"},
            {"do": "progress", "percent": 50, "action": f"it printed {PLANTED['toolOutput']}"},
            {"do": "ask", "question": f"Run it with {PLANTED['question']}?"},
            {"do": "write", "path": f"{PLANTED['path']}.txt", "content": "x\n"},
            {"do": "answer"},
        ),
        step({"task": "fails", "attempt": 1}, {"do": "end", "reason": "error", "detail": PLANTED["error"]}),
        step(
            {"phase": "aggregation"},
            {"do": "answer", "data": {"status": "success", "summary": f"Set {PLANTED['aggregation']}."}},
        ),
    ],
}


def template(place: Path) -> dict[str, Any]:
    (place / "check.txt").write_text(f"checked with {PLANTED['check']}\n")
    (place / "hook.txt").write_text(f"called with {PLANTED['hook']}\n")
    return {
        **TemplateManager().get("_default").raw,
        "id": "tested",
        "hooks": {"onWorkerComplete": ["sh", "-c", f"cat {place}/hook.txt; exit 3"]},
        "phases": {
            **TemplateManager().get("_default").raw["phases"],
            "verification": {"enabled": True, "commands": [["sh", "-c", f"cat {place}/check.txt"]]},
        },
    }


class Stage:
    """A person's home and project; everything that is shown of the run comes to `shown`."""

    def __init__(self, place: Path) -> None:
        self.home = place / "home"
        self.project: Project = repository(place / "project")
        self.project.git("checkout", "-qb", f"work-{PLANTED['branch']}")
        (self.home / "templates").mkdir(parents=True)
        (self.home / "templates" / "tested.json").write_text(json.dumps(template(place)))
        self.module = OrchestratorModule(Dying(script_of(SCRIPT)), home=self.home)
        self.shown = ""

    async def live(self) -> None:
        async with asyncio.timeout(60), self.module as module:
            id = await self._create()
            await module.orchestrators.start(id)
            async for event in module.events(id):
                self.shown += repr(event)
                if event.type == "orchestrator:waiting":
                    waiting = event.data.waiting  # type: ignore[attr-defined]
                    if waiting.kind is WaitingKind.PERMISSION:
                        await module.ask(id, Answer(waiting_id=waiting.id, answer="allow"))
            run = await module.run(id)
            assert run.outcome is not None
            self.shown += repr(await module.orchestrators.get(id)) + repr(await module.workers.list(id))
            for task in ("works", "dies", "fails"):
                for attempt in range(1, len(run.tasks[task].attempts) + 1):
                    self.shown += await module.workers.transcript(id, task, attempt)

    async def _create(self) -> str:
        wanted: dict[str, Any] = {
            "template_id": "tested",
            "cwd": self.project.root,
            "message": f"Do it with {PLANTED['prompt']}",
            "options": Options(yes=True),
        }
        try:
            made = await self.module.orchestrators.create(**wanted)
        except TemplateNotApproved as unapproved:
            self.module.templates.in_project(self.project.root).approve(unapproved.consent)
            made = await self.module.orchestrators.create(**wanted)
        return made.id

    def show(self, *arguments: str) -> None:
        done = subprocess.run(
            [sys.executable, "-m", "bigtask", "-vv", *arguments],
            cwd=self.project.root,
            env={**ENV, "HOME": str(self.home.parent), "BIGTASK_HOME": str(self.home), **KNOWN},
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode in (0, 1), done.stderr
        self.shown += done.stdout + done.stderr

    def kept(self) -> str:
        """Every name and content below the home, but for workspaces, which are the project's own files; and
        what is in exports."""
        found = ""
        for folder, folders, files in os.walk(self.home):
            if "workspaces" in folders:
                folders.remove("workspaces")
            for name in (*folders, *files):
                found += f"{name}\n"
            for name in files:
                if name != "sock":
                    found += (Path(folder) / name).read_bytes().decode("latin-1")
        for export in self.home.parent.glob("*.zip"):
            with zipfile.ZipFile(export) as opened:
                found += "".join(opened.read(name).decode("latin-1") for name in opened.namelist())
        return found


async def lived(place: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[str, str]:
    """What is kept of a run, and what was shown and logged of it."""
    for name, value in KNOWN.items():
        monkeypatch.setenv(name, value)
    said = io.StringIO()
    monkeypatch.setattr(sys, "stderr", said)
    root = logging.getLogger("bigtask")
    before = (root.handlers[:], root.propagate, root.level)
    log_to_stderr(2)
    try:
        stage = Stage(place)
        await stage.live()
    finally:
        root.handlers[:], root.propagate, level = before
        root.setLevel(level)
    for command in (
        "show last --json",
        "logs last --json",
        "report last",
        "report last --format junit",
        "report last --format json",
        "list --all --json",
        f"export last {shlex.quote(str(place / 'run.zip'))}",
    ):
        stage.show(*shlex.split(command))
    return stage.kept(), stage.shown + said.getvalue()


async def test_planted_secrets_are_nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept, shown = await lived(tmp_path, monkeypatch)
    found = [secret for secret in ALL if secret in kept or secret in shown]
    record(15, name="planted secrets, looked for in all that a run leaves and shows", unit="secrets",
           count=len(ALL), violations=len(found))  # fmt: skip
    assert found == []
    assert kept.count("[redacted: GitHub token]") > len(PLANTED)
    assert "[redacted: value of MY_SERVICE_TOKEN]" in kept


async def test_the_search_would_have_found_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same with the defence taken out."""
    monkeypatch.setattr(Secrecy, "text", lambda self, text: text)
    monkeypatch.setattr(Secrecy, "value", lambda self, value: value)
    kept, _ = await lived(tmp_path, monkeypatch)
    assert [secret for secret in ALL if secret not in kept] == []
