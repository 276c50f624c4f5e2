"""Makes the corpus: logs of this version's schema, through the real product with the scripted agent.

    python tests/log/make_corpus.py             histories of this schema, where it has none yet
    python tests/log/make_corpus.py --expected  what every stored log is expected to say, written anew

Run the first before a schema is released, and commit what it leaves: it is never made again. Run the second
when what surfaces show of a run has changed, and look at the difference.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sqlite3
import sys
import tempfile
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec

sys.path.insert(0, str(Path(__file__).parents[1]))

from bigtask.agents.table import AgentTable
from bigtask.core.commands import Answer, Cancel, Confirm, EditPlan, Modification, Pause, Resume, Retry, Start
from bigtask.core.edits import AddTask, DropTask, MergeTasks, ReorderTasks, SetTask
from bigtask.core.events import Event
from bigtask.core.evolve import fold
from bigtask.core.values import Task
from bigtask.core.view import view, worker
from bigtask.host.access import hold, read
from bigtask.host.home import Home, RunFolder
from bigtask.host.link import LocalLink
from bigtask.host.log import SCHEMA, read_closed
from projects import Desk, repository

CORPUS = Path(__file__).with_name("corpus")
RUN_ID = "01hzzzzzzzzzzzzzzzzzzzzzzz"
PLACE = "/home/ada"
"""What stands in the stored logs for the folder in which they were made."""

_PATIENCE_S = 60.0
_ENDS = ("orchestrator:completed", "orchestrator:error", "orchestrator:cancelled")

Script = Mapping[str, Any]


def turn(*steps: Script, **when: Any) -> Script:
    return {"when": when, "steps": list(steps)}


def wrote(path: str, content: str) -> tuple[Script, Script]:
    data = {"status": "success", "summary": f"Wrote {path}.", "output_files": [path]}
    return {"do": "write", "path": path, "content": content}, {"do": "answer", "data": data}


async def until(link: LocalLink, fits: Callable[[Event], bool]) -> Event:
    async with asyncio.timeout(_PATIENCE_S):
        async for event in link.follow():
            if fits(event):
                return event
    raise AssertionError("the run ended before it came to that")


async def until_end(link: LocalLink, after: int = 0) -> None:
    await until(link, lambda event: event.type in _ENDS and event.seq > after)


def raised(event: Event) -> bool:
    return event.type == "orchestrator:waiting"


def begun(task: str, attempt: int = 1) -> Callable[[Event], bool]:
    def fits(event: Event) -> bool:
        data = msgspec.to_builtins(event.data)
        return event.type == "worker:started" and (data["taskId"], data["attempt"]) == (task, attempt)

    return fits


# The histories


async def complete(link: LocalLink) -> None:
    await link.ask(Start(id="start-1", by="Ada"))
    await until_end(link)
    await link.merge(by="Ada")
    await link.undo_merge(by="Ada")


async def failures(link: LocalLink) -> None:
    await link.ask(Start(by="Ada"))
    await until_end(link)
    before = link.holder.run.seq
    await link.ask(Retry(task_id="breaks", by="Ada"))
    await until_end(link, after=before)


async def questions(link: LocalLink) -> None:
    await link.ask(Start(by="Ada"))
    await until(link, raised)
    await link.ask(Confirm(revision=1, by="Ada", modifications={"spare": Modification(skip=True)}))
    permission = await until(link, lambda event: raised(event) and event.data.waiting.kind == "permission")
    await link.ask(Answer(waiting_id=permission.data.waiting.id, answer="allow", scope="run", by="Ada"))
    unusable = await until(link, lambda event: raised(event) and event.data.waiting.kind == "answer")
    data = {"status": "success", "summary": "By hand.", "output_files": []}
    await link.ask(Answer(waiting_id=unusable.data.waiting.id, answer="edit", data=data, by="Ada"))
    conflict = await until(link, lambda event: raised(event) and event.data.waiting.kind == "conflict")
    await link.ask(Answer(waiting_id=conflict.data.waiting.id, answer="skip", by="Ada"))
    await until_end(link)


async def edited(link: LocalLink) -> None:
    await link.ask(Start(by="Ada"))
    await until(link, raised)
    more = Task(id="more", title="More", description="As a person wrote it.", dependencies=("one",))
    both = Task(id="both", title="Both", scope=("both/**",), estimated_minutes=2.5)
    first = (AddTask(task=more), SetTask(id="two", fields={"priority": 1, "dependencies": []}))
    await link.ask(EditPlan(revision=1, edits=first, by="Ada"))
    second = (DropTask(id="three"), MergeTasks(ids=("four", "five"), task=both), ReorderTasks(ids=("more",)))
    await link.ask(EditPlan(revision=2, edits=second, by="Ada"))
    await link.ask(Confirm(revision=3, by="Ada"))
    await until_end(link)


async def paused(link: LocalLink) -> None:
    await link.ask(Start(by="Ada"))
    await until(link, begun("hangs"))
    await link.ask(Pause(by="Ada"))
    await until(link, lambda event: event.type == "orchestrator:paused")
    await link.ask(Resume(by="Ada"))
    await until(link, lambda event: event.type == "worker:resumed")
    before = link.holder.run.seq
    await link.ask(Pause(now=True, by="Ada"))
    await until(link, lambda event: event.type == "orchestrator:paused" and event.seq > before)


async def cancelled(link: LocalLink) -> None:
    await link.ask(Start(by="Ada"))
    await until(link, begun("hangs"))
    await link.ask(Cancel(by="Ada"))
    await until_end(link)


async def left(link: LocalLink) -> None:
    await link.ask(Start(by="Ada"))
    await until(link, begun("hangs"))


async def recovered(link: LocalLink) -> None:
    await until_end(link)


ANSWERED = {"do": "answer", "data": {"status": "success", "summary": "Looked.", "output_files": []}}
HANGS = turn({"do": "hang"}, task="hangs", attempt=1)
SAME = "one\nours, by {TASK_ID}\nthree\n"

History = tuple[Script, Mapping[str, Any], tuple[Callable[[LocalLink], Awaitable[None]], ...]]
HISTORIES: dict[str, History] = {
    "complete": (
        {
            "tasks": [
                {"id": "one", "checks": [{"command": ["git", "--version"]}, {"claim": "It is written."}]},
                {"id": "two", "dependencies": ["one"], "priority": 2, "estimated_tokens": 5_000},
            ],
            "turns": [
                turn(
                    {"do": "usage", "input_tokens": 900, "output_tokens": 90, "cost_usd": 0.0125},
                    {"do": "tool", "kind": "bash", "name": "Bash", "detail": "ls"},
                    {"do": "progress", "percent": 40, "action": "writing"},
                    *wrote("two.txt", "zwei\n"),
                    task="two",
                )
            ],
        },
        {"isolation": "worktree", "phases": {"verification": {"enabled": True}}},
        (complete,),
    ),
    "failures": (
        {
            "tasks": [
                {"id": "breaks"},
                {"id": "depends", "dependencies": ["breaks"]},
                {"id": "flaky"},
                {"id": "half"},
            ],
            "turns": [
                turn({"do": "end", "reason": "error", "detail": "no luck"}, task="breaks"),
                turn(ANSWERED, task="breaks", attempt=3),
                turn({"do": "crash"}, task="flaky", attempt=1),
                turn(ANSWERED, task="flaky"),
                turn(ANSWERED, task="depends"),
                turn(
                    {"do": "answer", "data": {**ANSWERED["data"], "status": "partial"}},  # type: ignore[dict-item]
                    task="half",
                ),
            ],
        },
        {"config": {"maxRetries": 1}, "phases": {"analysis": {"enabled": False}}},
        (failures,),
    ),
    "questions": (
        {
            "tasks": [
                {"id": "asks"},
                {"id": "rambles"},
                {"id": "first", "scope": ["x.txt"]},
                {"id": "second", "scope": ["y.txt"]},
                {"id": "spare"},
            ],
            "turns": [
                turn({"do": "ask", "question": "May I?", "allow": [ANSWERED]}, task="asks"),
                turn({"do": "say", "text": "I would rather talk about the weather."}, task="rambles"),
                turn(*wrote("a.txt", SAME), task="first"),
                turn(*wrote("a.txt", SAME), task="second"),
            ],
        },
        {"isolation": "worktree", "yes": False},
        (questions,),
    ),
    "edited": (
        {"tasks": [{"id": id} for id in ("one", "two", "three", "four", "five")]},
        {"isolation": "worktree", "yes": False},
        (edited,),
    ),
    "paused": (
        {
            "can_resume": True,
            "tasks": [{"id": "hangs"}, {"id": "waits", "dependencies": ["hangs"]}],
            "turns": [HANGS],
        },
        {},
        (paused,),
    ),
    "cancelled": (
        {"tasks": [{"id": "hangs"}, {"id": "done"}], "turns": [HANGS, turn(ANSWERED, task="done")]},
        {},
        (cancelled,),
    ),
    "recovered": (
        {
            "can_resume": False,
            "tasks": [{"id": "hangs"}, {"id": "done"}],
            "turns": [HANGS, turn(ANSWERED, phase="workerExecution")],
        },
        {},
        (left, recovered),
    ),
}


async def make(name: str, place: Path) -> RunFolder:
    script, options, parts = HISTORIES[name]
    desk = Desk(Home(place / "bigtask"))
    project = repository(place / "project")
    desk.home.path.mkdir()
    config = {"isolation": options.get("isolation", "none"), "maxRetries": 0, **options.get("config", {})}
    desk.template(config=config, phases=options.get("phases"))
    folder = await desk.create(project, agent=desk.script(script), yes=options.get("yes", True))
    for part in parts:
        async with hold(folder, AgentTable(), who="the corpus") as link:
            await part(link)
    assert fold(folder.id, await read(folder)).seq > 5
    return folder


def store(folder: RunFolder, place: Path, to: Path) -> None:
    """One file, with nothing in it that tells where it was made."""
    to.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(folder.log, isolation_level=None)
    try:
        connection.execute("BEGIN")
        for seq, data in connection.execute("SELECT seq, data FROM events").fetchall():
            neutral = data.decode().replace(str(place.resolve()), PLACE).replace(folder.id, RUN_ID)
            connection.execute("UPDATE events SET data = ? WHERE seq = ?", (neutral.encode(), seq))
        connection.execute("COMMIT")
        connection.execute("VACUUM INTO ?", (str(to),))
    finally:
        connection.close()


def stored() -> list[Path]:
    return sorted(CORPUS.glob("schema-*/*.db"))


def said_of(log: Path) -> str:
    """Everything that surfaces show of the run, as JSON."""
    run = fold(RUN_ID, read_closed(log))
    whole = {
        "run": msgspec.to_builtins(view(run)),
        "workers": [msgspec.to_builtins(worker(record)) for record in run.all_records()],
    }
    return json.dumps(whole, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--expected", action="store_true")
    if not parser.parse_args().expected:
        for name in HISTORIES:
            to = CORPUS / f"schema-{SCHEMA}" / f"{name}.db"
            if not to.exists():
                with tempfile.TemporaryDirectory(prefix="bigtask-corpus-") as place:
                    folder = asyncio.run(make(name, Path(place)))
                    store(folder, Path(place), to)
    with tempfile.TemporaryDirectory(prefix="bigtask-corpus-") as place:
        for log in stored():
            copy = Path(place) / log.name
            copy.write_bytes(log.read_bytes())
            log.with_suffix(".json").write_text(said_of(copy))


if __name__ == "__main__":
    main()
