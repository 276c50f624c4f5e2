"""Several processes at one run: one holds it, the others reach it, and the next one goes on."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from bigtask.agents.table import AgentTable
from bigtask.core.commands import EditPlan, Start
from bigtask.core.edits import AddTask
from bigtask.core.events import Event
from bigtask.core.states import Outcome
from bigtask.core.values import Task
from bigtask.errors import Conflict, HolderGone, NotFound, RunBusy, StaleRevision
from bigtask.host.access import hold, read
from bigtask.host.home import RunFolder
from bigtask.host.log import MemoryLog
from bigtask.host.socket import SocketLink, serve
from projects import ENV

from .stage import (
    ANSWERS,
    PATIENCE_S,
    Agents,
    Stage,
    answer,
    holding,
    recorded,
    states,
    tasks,
    turn,
    until,
    until_end,
    until_waiting,
)

pytestmark = pytest.mark.integration

SECOND = Path(__file__).with_name("second.py")
ASK = {"do": "ask", "question": "May I?", "allow": [answer(summary="Allowed.")]}


class Other:
    """Another process; what it prints."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.said: list[dict[str, Any]] = []

    async def until(self, fits: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The next thing that it says and that fits."""
        assert self.process.stdout is not None
        async with asyncio.timeout(PATIENCE_S):
            while line := await self.process.stdout.readline():
                self.said.append(json.loads(line))
                if fits(self.said[-1]):
                    return self.said[-1]
        raise AssertionError(f"the process ended after {self.said[-3:]}")

    async def event(self, type_name: str, **data: Any) -> dict[str, Any]:
        return await self.until(
            lambda said: said.get("type") == type_name and data.items() <= said["data"].items()
        )

    async def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        await self.process.wait()


@asynccontextmanager
async def other(folder: RunFolder, *arguments: str) -> AsyncIterator[Other]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-P",
        str(SECOND),
        str(folder.path),
        *arguments,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env=ENV,
        limit=2**23,
    )
    found = Other(process)
    try:
        yield found
    finally:
        if process.returncode is None:
            process.kill()
        assert process.stdin is not None
        process.stdin.close()
        await process.wait()


async def asks(folder: RunFolder, command: dict[str, Any]) -> dict[str, Any]:
    """What another process is answered."""
    async with other(folder, "ask", json.dumps(command)) as terminal:
        return await terminal.until(lambda said: True)


def script(**fields: Any) -> dict[str, Any]:
    return {"tasks": tasks("one", "two"), "turns": [ANSWERS], **fields}


async def created(stage: Stage, played: dict[str, Any], **options: Any) -> RunFolder:
    """A run whose agent other processes can make as well."""
    stage.desk.home.path.mkdir(parents=True, exist_ok=True)
    return await stage.create(AgentTable(), agent=stage.desk.script(played), **options)


async def test_a_second_process_follows_confirms_pauses_and_resumes(stage: Stage) -> None:
    played = script(turns=[ANSWERS, turn({"do": "hang"}, task="one", turn=1)])
    folder = await created(stage, played, yes=False)
    agents = AgentTable()
    async with hold(folder, agents, who="the first terminal") as link, other(folder, "follow") as watcher:
        await link.ask(Start())
        assert await watcher.until(lambda said: "attached" in said) == {"attached": False}
        await watcher.event("orchestrator:waiting")
        assert "seq" in await asks(folder, {"verb": "confirm", "by": "Bo"})
        await watcher.event("worker:started", taskId="one")
        await asks(folder, {"verb": "pause", "by": "Bo"})
        await watcher.event("orchestrator:paused")
        await asks(folder, {"verb": "resume", "by": "Bo"})
        await watcher.event("orchestrator:completed")
        await until_end(link)
    events = await read(folder)
    told = [said for said in watcher.said if "type" in said]
    assert told == [json.loads(msgspec.json.encode(event.public("run"))) for event in events]
    decided = [e.data.by for e in events if e.type in ("orchestrator:confirmed", "orchestrator:pausing")]
    assert decided == ["Bo", "Bo"]


async def test_a_second_process_retries_and_its_mistakes_come_back_as_sentences(stage: Stage) -> None:
    fail = {"do": "end", "reason": "error", "detail": "no luck"}
    folder = await created(stage, script(turns=[ANSWERS, turn(fail, task="one", attempt=1)]), max_retries=0)
    async with hold(folder, AgentTable(), who="the first terminal") as link:
        await link.ask(Start())
        end = await until_end(link)
        said = await asks(folder, {"verb": "retry", "taskId": "three"})
        assert said["error"] == "NotFound"
        assert "has no task 'three'" in said["message"]
        said = await asks(folder, {"verb": "confirm", "revision": 1})
        assert "seq" in said
        assert (await asks(folder, {"verb": "pause"}))["error"] == "Conflict"
        assert "seq" in await asks(folder, {"verb": "retry", "taskId": "one", "by": "Bo"})
        await until_end(link, after=end.seq)
    run = await recorded(folder)
    assert run.outcome is Outcome.COMPLETE
    assert states(run, "one") == ["failed", "completed"]


async def test_a_permission_is_answered_from_another_process(stage: Stage) -> None:
    folder = await created(stage, script(turns=[ANSWERS, turn(ASK, task="one")]))
    async with hold(folder, AgentTable(), who="the first terminal") as link:
        await link.ask(Start())
        _, waiting = await until_waiting(link)
        assert (waiting.question, waiting.options) == ("May I?", ("allow", "deny"))
        wrong = await asks(folder, {"verb": "answer", "waitingId": waiting.id, "answer": "why"})
        assert wrong["error"] == "InvalidInput"
        said = {"verb": "answer", "waitingId": waiting.id, "answer": "allow", "by": "Bo"}
        assert "seq" in await asks(folder, said)
        again = await asks(folder, said)
        assert again["error"] == "NotFound"
        await until_end(link)
    run = await recorded(folder)
    report = run.tasks["one"].attempts[0].report
    assert report is not None
    assert report.summary == "Allowed."
    answered = [event.data for event in await read(folder) if event.type == "orchestrator:answered"]
    assert [each.by for each in answered] == ["Bo"]


async def test_a_second_holder_is_refused_and_told_who_has_the_run(stage: Stage) -> None:
    folder = await created(stage, script())
    async with hold(folder, AgentTable(), who="the first terminal"):
        async with other(folder, "take") as second:
            said = await second.until(lambda said: True)
        assert said["error"] == "RunBusy"
        assert f"process {os.getpid()} (the first terminal)" in said["message"]
        with pytest.raises(RunBusy, match="the first terminal"):
            async with hold(folder, AgentTable(), who="myself again"):
                pass


async def test_when_the_first_is_killed_the_second_goes_on(stage: Stage) -> None:
    played = script(can_resume=False, turns=[ANSWERS, turn({"do": "hang"}, task="one", attempt=1)])
    folder = await created(stage, played)
    async with other(folder, "hold") as first:
        await first.event("worker:completed", taskId="two")
        async with other(folder, "follow") as second:
            assert await second.until(lambda said: "attached" in said) == {"attached": False}
            await second.event("worker:completed", taskId="two")
            await first.kill()
            # A process that is being killed may still be met on its way out.
            await second.until(lambda said: said.get("attached") is True)
            await second.event("orchestrator:recovered", lost=1)
            await second.event("orchestrator:completed", outcome="complete")
    run = await recorded(folder)
    assert states(run, "one") == ["lost", "completed"]
    assert states(run, "two") == ["completed"]
    numbers = [said["seq"] for said in second.said if "seq" in said]
    assert numbers == list(range(1, run.seq + 1))


async def test_reading_shows_the_same_whether_the_run_is_held_or_not(stage: Stage) -> None:
    folder = await created(stage, script())
    before = await read(folder)
    assert [event.type for event in before] == ["orchestrator:created"]
    async with hold(folder, AgentTable(), who="the first terminal") as link:
        await link.ask(Start())
        await until_end(link)
        held = await read(folder)
    assert held[0] == before[0]
    assert await read(folder) == held


async def test_reading_a_run_that_isnt_there_says_so(tmp_path: Path) -> None:
    (tmp_path / "gone").mkdir()
    with pytest.raises(NotFound, match="isn't there"):
        await read(RunFolder(tmp_path / "gone"))


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="only Linux reaches such sockets")
async def test_a_home_with_a_long_path_has_sockets_all_the_same(tmp_path: Path) -> None:
    long = tmp_path / ("a" * 80) / ("b" * 80)
    long.mkdir(parents=True)
    folder = await created(Stage(long), script(turns=[turn(ASK, phase="workerExecution")]))
    assert len(str(folder.socket)) > 108
    async with hold(folder, AgentTable(), who="the first terminal") as link:
        await link.ask(Start())
        await until_waiting(link)
        assert "seq" in await asks(folder, {"verb": "cancel", "by": "Bo"})
        assert (await read(folder))[-1].type == "orchestrator:cancelled"


async def test_of_twenty_processes_at_once_one_becomes_the_holder(stage: Stage) -> None:
    folder = await created(stage, script())
    started = [other(folder, "take") for _ in range(20)]
    terminals = [await each.__aenter__() for each in started]
    try:
        said = await asyncio.gather(*(terminal.until(lambda said: True) for terminal in terminals))
    finally:
        for each in started:
            await each.__aexit__(None, None, None)
    assert sum("held" in each for each in said) == 1
    assert {each["error"] for each in said if "held" not in each} == {"RunBusy"}


async def test_a_command_whose_connection_is_cut_is_done_once_or_not_at_all(short_place: Path) -> None:
    folder = await created(Stage(short_place), script(), yes=False)
    async with hold(folder, AgentTable(), who="the first terminal") as link:
        await link.ask(Start())
        await until_waiting(link)
        found = {"done": 0, "not done": 0}
        for number in range(20):
            revision = 1 + number
            edit = EditPlan(revision=revision, edits=(AddTask(task=Task(id=f"more-{number}", title="More")),))
            line = msgspec.json.encode(edit) + b"\n"
            # Cut within the command, before its end of line, and after all of it but before the answer.
            whole = number % 2 == 0
            _send_and_cut(folder.socket, line if whole else line[: 1 + number * (len(line) - 3) // 20])
            if whole:
                await until(
                    link, lambda e, r=revision: e.type == "orchestrator:planChanged" and e.data.revision == r
                )
            changed = [e.data.revision for e in await read(folder) if e.type == "orchestrator:planChanged"]
            found["done" if revision in changed else "not done"] += 1
            try:
                await SocketLink(folder.socket).ask(edit)
            except (StaleRevision, Conflict):
                assert revision in changed
            else:
                assert revision not in changed
        assert found == {"done": 10, "not done": 10}
    run = await recorded(folder)
    assert run.plan is not None
    assert run.plan.revision == 21
    assert [task.id for task in run.plan.tasks[2:]] == [f"more-{number}" for number in range(20)]


def _send_and_cut(path: Path, data: bytes) -> None:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(path))
        connection.sendall(data)


async def test_a_holder_that_dies_in_the_middle_of_a_line_is_a_holder_that_is_gone(short_place: Path) -> None:
    async def half(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.write(b'{"seq": 1, "at": 5, "ty')
        writer.close()

    path = short_place / "sock"
    server = await asyncio.start_unix_server(half, str(path))
    async with server:
        with pytest.raises(HolderGone):
            await SocketLink(path).ask(Start())
        with pytest.raises(HolderGone):
            async for _ in SocketLink(path).follow():
                pass


class EndedLog(MemoryLog):
    async def read(self, after: int = 0, limit: int | None = None) -> list[Event]:
        raise HolderGone("the run isn't carried out here any more")


async def test_who_follows_a_holder_that_is_just_ending_is_told_that_it_is_gone(short_place: Path) -> None:
    agents = Agents(script())
    folder = await Stage(short_place).create(agents)
    log = EndedLog(await read(folder))
    async with holding(folder, agents, log) as holder, serve(holder, folder.socket):
        with pytest.raises(HolderGone, match="any more"):
            async for _ in SocketLink(folder.socket).follow(stay=False):
                pass


async def test_what_isnt_a_request_is_answered_with_a_sentence_and_changes_nothing(short_place: Path) -> None:
    agents = Agents(script())
    folder = await Stage(short_place).create(agents)
    before = await read(folder)
    async with hold(folder, agents, who="the first terminal"):
        reader, writer = await asyncio.open_unix_connection(str(folder.socket))
        for line in (b"hello\n", b"[]\n", b'{"verb": "dance"}\n', b'{"verb": "answer"}\n', b"\xff\xfe\n"):
            writer.write(line)
            said = json.loads(await reader.readline())
            assert said["error"] == "InvalidInput"
            assert said["message"]
        writer.close()
        await writer.wait_closed()
    assert await read(folder) == before
