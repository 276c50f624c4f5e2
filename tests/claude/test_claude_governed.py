"""The real Claude Code under the governor: a storm of limits, and a bill and a cap across sessions."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from bigtask.agents.table import AgentTable
from bigtask.core.commands import Start
from bigtask.core.events import Event
from bigtask.core.evolve import begin, evolve
from bigtask.core.run import Run
from bigtask.core.states import Outcome
from bigtask.errors import HolderGone
from bigtask.host import access
from bigtask.host.home import Home, RunFolder
from claude.rows import BYE, COMPLETION, cli_of, done, progress
from claude.setting import Setting, needs_claude, setting
from claude.stub import Call, Reply, Request
from projects import Desk, repository

pytestmark = [pytest.mark.integration, pytest.mark.timeout(200)]

SLOTS = 8
STORM_S = 12.0
PHASES = {phase: {"enabled": False} for phase in ("analysis", "aggregation", "verification")}


@pytest.fixture(autouse=True)
def _with_claude() -> None:
    needs_claude()


class Model:
    """It plans `tasks`, and each worker's session says what `worker` makes of its requests."""

    def __init__(self, tasks: int, worker: Callable[[Request], Reply]) -> None:
        numbers = range(1, tasks + 1)
        self.tasks = [{"id": f"t{n}", "title": f"Number {n}", "description": "Do."} for n in numbers]
        self.worker = worker

    def __call__(self, request: Request) -> Reply:
        if COMPLETION in request.tools:
            return self.worker(request)
        return Reply(blocks=[Call(name="StructuredOutput", input={"tasks": self.tasks})])


class Storm:
    """Each session is answered once; when all have been, everybody is refused for a while."""

    def __init__(self) -> None:
        self._lock = threading.Condition()
        self._met: set[str] = set()
        self.ends_at: float | None = None
        self.refused: list[str] = []
        self.after: list[tuple[str, float]] = []

    def __call__(self, request: Request) -> Reply:
        if request.number == 1:
            return Reply(blocks=[progress()])
        with self._lock:
            self._met.add(request.session)
            self._lock.notify_all()
            if self.ends_at is None and self._lock.wait_for(lambda: len(self._met) == SLOTS, timeout=120):
                self.ends_at = self.ends_at or time.monotonic() + STORM_S
            left_s = (self.ends_at or 0.0) - time.monotonic()
            if left_s > 0:
                self.refused.append(request.session)
                seconds = str(int(left_s) + 1)
                return Reply(status=429, error="rate_limit_error", headers={"retry-after": seconds})
            self.after.append((request.session, time.monotonic()))
        return finished(request)


def finished(request: Request) -> Reply:
    """The report of the task that the session was given, and then the end."""
    if any(call["name"] == COMPLETION for call in request.calls):
        return BYE
    # Before its own task a session is told of all of them.
    *_, number = re.findall(r"Number (\d+)", "\n".join(request.texts))
    return Reply(blocks=[done(task_id=f"t{number}")])


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


async def created(
    place: Setting, home: Home, tmp_path: Path, agents: AgentTable, **options: Any
) -> RunFolder:
    desk = Desk(home)
    desk.template(config={"autoSpawn": True, "maxRetries": 1, "permissionMode": "acceptEdits"}, phases=PHASES)
    return await desk.create(repository(tmp_path / "project"), agent="claude", agents=agents, **options)


async def carried(folder: RunFolder, agents: AgentTable, until: Callable[[Run, Event], bool]) -> Run:
    async with access.attach(folder, agents, who="a test") as link:
        await link.ask(Start())
        run: Run | None = None
        async with asyncio.timeout(180):
            async for event in link.follow():
                if run is None:
                    run = begin(folder.id, event)
                else:
                    evolve(run, event)
                if until(run, event):
                    return run
    raise AssertionError("the holder ended")


def over(run: Run, _: Event) -> bool:
    assert not run.waiting, run.waiting
    return run.outcome is not None


async def test_eight_slots_wait_out_a_storm_of_429_with_hardly_a_request(
    tmp_path: Path, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BIGTASK_MACHINE_SLOTS", str(SLOTS))
    storm = Storm()
    with setting(Model(SLOTS, storm)) as place:
        agents = AgentTable({"claude": place.agent()})
        folder = await created(place, home, tmp_path, agents, max_workers=SLOTS, max_budget_usd=100.0)
        run = await carried(folder, agents, over)
    assert run.outcome is Outcome.COMPLETE, run.reason
    assert [len(record.attempts) for record in run.tasks.values()] == [1] * SLOTS
    assert len(set(storm.refused)) == SLOTS
    assert len(storm.refused) <= 1.2 * SLOTS
    assert len({session for session, _ in storm.after}) == SLOTS


def in_the_middle(run: Run, _: Event) -> bool:
    """The task's second request has begun, and what it costs is recorded."""
    record = run.tasks.get("t1")
    return record is not None and bool(record.attempts) and record.attempts[0].usage.input_tokens == 200


async def test_a_resumed_session_is_given_what_is_left(tmp_path: Path, home: Home) -> None:
    """bigtask itself ends in the middle of the work, and its next holder resumes."""

    def worker(request: Request) -> Reply:
        if request.number == 1:
            return Reply(blocks=[progress()])
        if request.number == 2:
            return Reply(blocks=["hm"], fault="stalled")
        return finished(request)

    given: list[float | None] = []
    with setting(Model(1, worker)) as place:
        agent = place.agent()
        opens = agent.session

        def session(opening):  # type: ignore[no-untyped-def]
            given.append(opening.budget_usd)
            return opens(opening)

        agent.session = session  # type: ignore[method-assign]
        agents = AgentTable({"claude": agent})
        folder = await created(place, home, tmp_path, agents, max_budget_usd=1.0)
        with suppress(HolderGone):
            await carried(folder, agents, in_the_middle)
        stopped = await access.read_run(folder)
        run = await carried(folder, agents, over)
        charged = dict(place.stub.tokens)
    assert run.outcome is Outcome.COMPLETE, run.reason
    assert stopped.used.cost_usd > 0
    assert given[-1] == pytest.approx(1.0 - stopped.used.cost_usd)
    assert (run.used.input_tokens, run.used.output_tokens) == (charged["input"], charged["output"])


async def test_a_model_that_falls_silent_is_nudged_and_the_session_goes_on(
    tmp_path: Path, home: Home
) -> None:
    def worker(request: Request) -> Reply:
        if request.number == 1:
            return Reply(blocks=["hm"], fault="stalled")
        return finished(request)

    with setting(Model(1, worker)) as place:
        agents = AgentTable({"claude": place.agent()})
        folder = await created(place, home, tmp_path, agents, max_budget_usd=5.0, stall_after_ms=4_000)
        run = await carried(folder, agents, over)
        told = "\n".join(text for request in place.stub.requests for text in request.texts)
    assert run.outcome is Outcome.COMPLETE, run.reason
    (attempt,) = run.tasks["t1"].attempts
    assert attempt.quiet_since is not None
    assert "For 4 seconds nothing was heard of you" in told


async def test_a_session_whose_time_is_up_reports_what_is_done(tmp_path: Path, home: Home) -> None:
    def worker(request: Request) -> Reply:
        if request.number == 1:
            return Reply(blocks=["hm"], fault="stalled")
        return finished(request)

    with setting(Model(1, worker)) as place:
        agents = AgentTable({"claude": place.agent()})
        folder = await created(place, home, tmp_path, agents, max_budget_usd=5.0, worker_timeout_ms=15_000)
        run = await carried(folder, agents, over)
        told = "\n".join(text for request in place.stub.requests for text in request.texts)
    assert run.outcome is Outcome.COMPLETE, run.reason
    (attempt,) = run.tasks["t1"].attempts
    assert attempt.time_up
    assert "Your time is up" in told


SLEEPS = "python3 -c 'import time; time.sleep(600)'"


async def test_a_command_that_hangs_is_ended_and_the_session_goes_on(tmp_path: Path, home: Home) -> None:
    def worker(request: Request) -> Reply:
        if request.number > 1:
            return finished(request)
        return Reply(blocks=[Call(name="Bash", input={"command": SLEEPS})])

    with setting(Model(1, worker)) as place:
        agents = AgentTable({"claude": place.agent()})
        options = {"max_budget_usd": 5.0, "stall_after_ms": 4_000, "permission_mode": "all"}
        folder = await created(place, home, tmp_path, agents, **options)
        run = await carried(folder, agents, over)
    assert run.outcome is Outcome.COMPLETE, run.reason
    (attempt,) = run.tasks["t1"].attempts
    assert attempt.quiet_since is not None
    assert attempt.tools == {"bash": 1}


RECKONS = "python3 -c 'import time; any(time.process_time() >= 10 for _ in iter(int, 1))'"


async def test_a_command_that_reckons_without_a_word_is_left_alone(tmp_path: Path, home: Home) -> None:
    def worker(request: Request) -> Reply:
        if request.number > 1:
            return finished(request)
        return Reply(blocks=[Call(name="Bash", input={"command": RECKONS})])

    with setting(Model(1, worker)) as place:
        agents = AgentTable({"claude": place.agent()})
        options = {"max_budget_usd": 5.0, "stall_after_ms": 4_000, "permission_mode": "all"}
        folder = await created(place, home, tmp_path, agents, **options)
        run = await carried(folder, agents, over)
    assert run.outcome is Outcome.COMPLETE, run.reason
    (attempt,) = run.tasks["t1"].attempts
    assert attempt.quiet_since is None


async def test_a_program_that_was_stopped_is_ended_and_its_task_goes_on(tmp_path: Path, home: Home) -> None:
    stopped: list[int] = []

    def worker(request: Request) -> Reply:
        if not stopped:
            stopped.append(cli_of(request.session))
            os.kill(stopped[0], signal.SIGSTOP)
        return finished(request)

    with setting(Model(1, worker)) as place:
        agents = AgentTable({"claude": place.agent()})
        folder = await created(place, home, tmp_path, agents, max_budget_usd=5.0, stall_after_ms=4_000)
        run = await carried(folder, agents, over)
    assert run.outcome is Outcome.COMPLETE, run.reason
    first, *_ = run.tasks["t1"].attempts
    assert first.quiet_since is not None
    assert not Path(f"/proc/{stopped[0]}").exists()
