"""Kills the holder of a run again and again, and looks after each time whether anything was lost."""

from __future__ import annotations

import json
import os
import random
import selectors
import signal
import sqlite3
import time
from collections import defaultdict, deque
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from bigtask.core.events import Event
from bigtask.core.evolve import begin, evolve
from bigtask.core.run import Run
from bigtask.core.states import Outcome, TaskState
from bigtask.core.values import RESERVED
from bigtask.host.faults import VARIABLE
from bigtask.host.home import RunFolder
from bigtask.host.log import read_closed
from bigtask.host.snapshot import encoded
from nursery import Nursery
from projects import ENV, Desk, Project

HOLDER = "crash.holder"
TASKS = 50
SLOTS = 8
_STUCK_S = 20.0


class Violation(AssertionError):
    """Something that was promised didn't hold."""


@dataclass(frozen=True, kw_only=True)
class Moment:
    """When the holder is killed: at a named append point (or else after so many `events`), `seconds` after
    its start, or after it told of so many `events`. None of them: not at all."""

    point: str | None = None
    seconds: float | None = None
    events: int | None = None


def script(rng: random.Random, *, size: int, writes: bool, resumes: bool) -> dict[str, Any]:
    """Tasks that build on one or two of those before them; some need a second try."""
    ids = [f"t{number:02}" for number in range(size)]
    tasks = []
    for place, id in enumerate(ids):
        before = ids[max(0, place - 12) : place]
        needs = rng.sample(before, min(len(before), rng.choice((0, 1, 2))))
        tasks.append({"id": id, "dependencies": sorted(needs), "scope": [f"out/{id}.txt"]})
    path = "out/{TASK_ID}.txt"
    # Appended, so that work that is done twice in one place shows.
    write = [{"do": "write", "path": path, "content": "{TASK_ID}\n", "how": "append"}] if writes else []
    said = {"status": "success", "summary": "{TASK_ID} by attempt {ATTEMPT}"}
    work = [
        {"do": "progress", "percent": 10, "action": "beginning"},
        {"do": "delay", "seconds": 0.03},
        *write,
        {"do": "delay", "seconds": 0.03},
        {"do": "answer", "data": {**said, "output_files": [path] if writes else []}},
    ]
    failure = {"do": "end", "reason": "error", "detail": "the script says so"}
    nonsense = {"do": "say", "text": "I would rather talk about the weather."}
    return {
        "tasks": tasks,
        "can_resume": resumes,
        "turns": [
            {"when": {"phase": "workerExecution"}, "steps": work},
            *({"when": {"task": id, "attempt": 1}, "steps": [{"do": "crash"}]} for id in ids[1::7]),
            *({"when": {"task": id, "attempt": 1}, "steps": [failure]} for id in ids[2::7]),
            *({"when": {"task": id, "turn": 1}, "steps": [nonsense]} for id in ids[3::7]),
        ],
    }


async def begin_run(
    desk: Desk, project: Project, rng: random.Random, *, writes: bool, size: int = TASKS
) -> RunFolder:
    """With `writes` each task has a worktree; without, the tasks only answer."""
    resumes = not writes and rng.random() < 0.5
    desk.template(
        config={"maxWorkers": SLOTS, "isolation": "worktree" if writes else "none", "maxRetries": 5},
        phases={"verification": {"enabled": True}},
    )
    agent = desk.script(script(rng, size=size, writes=writes, resumes=resumes))
    return await desk.create(project, agent=agent)


@dataclass
class Killing:
    """One run under fire. `nursery` is one of HOLDERs."""

    nursery: Nursery
    folder: RunFolder
    project: Project
    writes: bool
    mutant: str | None = None
    kills: int = 0
    points: set[str] = field(default_factory=set)
    """The append points that it was killed at."""
    ready_s: list[float] = field(default_factory=list)
    compared: int = 0
    """States in a holder's memory that were compared with the fold of the log."""
    _told: dict[int, dict[str, Any]] = field(default_factory=dict)
    _states: dict[int, list[Any]] = field(default_factory=lambda: defaultdict(list))
    _last: int = 1

    def over(self) -> bool:
        """Whether the run has ended."""
        return self._run.outcome is not None

    _run: Run = field(init=False)

    def __post_init__(self) -> None:
        self.check()

    def carry_out(self, moment: Moment) -> bool:
        """Starts a holder and kills it then; whether it was the moment that ended it. Checks everything."""
        told: list[dict[str, Any]] = []
        killed = self._hold(moment, told)
        self.kills += killed
        for line in told:
            if "state" in line:
                self._states[line["seq"]].append(line["state"])
            elif "seq" in line:
                self._told[line["seq"]] = line
        self.check()
        if not killed and not self.over():
            raise Violation("the holder ended although the run hadn't")
        return killed and (moment.point is None or moment.point in self.points)

    def _hold(self, moment: Moment, told: list[dict[str, Any]]) -> bool:
        argv = [str(self.folder.path), f"--after={self._last}"]
        argv += [f"--mutant={self.mutant}"] if self.mutant else []
        env = {**ENV, **({VARIABLE: moment.point} if moment.point else {})}
        started = time.monotonic()
        events, reached = 0, False
        with closing(self.nursery.start(argv, env)) as process:
            output = _Output(process.stdout)
            try:
                for line in output.lines(started + (moment.seconds or _STUCK_S)):
                    told.append(line)
                    if "ready" in line:
                        self.ready_s.append(time.monotonic() - started)
                    events += "type" in line
                    reached = moment.events is not None and events > moment.events
                    if reached:
                        break
                if not (output.ended or moment.seconds or reached):
                    raise Violation(f"the holder stood still for {_STUCK_S:g} s")
                by_itself = output.ended
            finally:
                process.kill()
            # What it had said before it died is acknowledged as well.
            told += output.lines(time.monotonic() + _STUCK_S)
            status = process.wait()
            complaint = os.read(process.stderr, 65_536).decode(errors="replace")
        if by_itself and status == -signal.SIGKILL and moment.point:
            self.points.add(moment.point)
        if status not in (0, -signal.SIGKILL):
            raise Violation(f"the holder ended with status {status}: {complaint[-2000:]}")
        return status != 0

    def check(self) -> None:
        events = read_closed(self.folder.log)
        self._check_file()
        self._check_told(events)
        self._run = self._fold(events)
        self._last = events[-1].seq
        _check_attempts(events)
        if self.writes:
            self._check_branch()

    def _check_file(self) -> None:
        connection = sqlite3.connect(self.folder.log)
        try:
            found = connection.execute("PRAGMA integrity_check").fetchall()
        finally:
            connection.close()
        if found != [("ok",)]:
            raise Violation(f"the log isn't sound: {found}")

    def _check_told(self, events: list[Event]) -> None:
        if [event.seq for event in events] != list(range(1, len(events) + 1)):
            raise Violation("the sequence has gaps")
        for seq, line in self._told.items():
            if seq > len(events):
                raise Violation(f"event {seq} ({line['type']}) was acknowledged and is lost")
            event = events[seq - 1]
            if line != {"seq": seq, "at": event.at, "type": event.type, "data": _plain(event.data)}:
                raise Violation(f"event {seq} was acknowledged as {line['type']} and is kept as another")

    def _fold(self, events: list[Event]) -> Run:
        run = begin(self.folder.id, events[0])
        for event in events[1:]:
            evolve(run, event)
            for state in self._states.pop(run.seq, ()):
                self.compared += 1
                folded = _without_times(json.loads(encoded(run)))
                held = _without_times(state)
                differs = ", ".join(name for name in folded if folded[name] != held[name])
                if differs:
                    raise Violation(f"at event {run.seq} state and fold of the log differ in {differs}")
        # What was ahead of the log died with its holder, and nobody was told.
        self._states.clear()
        return run

    def _check_branch(self) -> None:
        """Of every completed task the integration branch has its file, with its work in it once."""
        branch = f"bigtask/{self.folder.id}/main"
        done = {id for id, record in self._run.tasks.items() if record.state is TaskState.COMPLETED}
        if not done:
            return
        counted = self.project.lines("grep", "-c", "", branch, "--", "out")
        found = dict(_content(line, branch) for line in counted)
        for id in done:
            if found.get(id) != 1:
                raise Violation(f"the work of {id} is {found.get(id, 0)} times in the integration branch")
        trailer = "--format=%(trailers:key=Bigtask-Task,valueonly,separator=)"
        merges = self.project.lines("log", "--merges", trailer, branch)
        twice = sorted({id for id in merges if merges.count(id) > 1})
        if twice:
            raise Violation(f"merged more than once: {', '.join(twice)}")

    def check_end(self) -> None:
        run = self._run
        if run.outcome is not Outcome.COMPLETE:
            raise Violation(f"the run came to {run.outcome}: {run.reason}")
        if run.counts[TaskState.COMPLETED] != len(run.tasks):
            raise Violation(f"only {run.counts[TaskState.COMPLETED]} of {len(run.tasks)} tasks are completed")
        if self.writes:
            # The integration's, and what the last holder was about to give up when it ended.
            if len(left := os.listdir(self.folder.path / "workspaces")) > 1 + SLOTS:
                raise Violation(f"{len(left)} worktrees are left over")
            branch = f"bigtask/{self.folder.id}/main"
            for id in run.tasks:
                if self.project.git("show", f"{branch}:out/{id}.txt") != id:
                    raise Violation(f"the file of {id} isn't what its worker wrote")


def _content(line: str, branch: str) -> tuple[str, int]:
    """Task and number of lines, from `branch:out/task.txt:lines`."""
    path, _, lines = line.removeprefix(f"{branch}:").rpartition(":")
    return Path(path).stem, int(lines)


def _check_attempts(events: list[Event]) -> None:
    numbers: dict[str, int] = defaultdict(int)
    completed: set[str] = set()
    for event in events:
        fields = _plain(event.data)
        id = fields.get("taskId", "")
        match event.type:
            case "worker:spawned":
                if id in completed:
                    raise Violation(f"{id} was completed and is done again")
                numbers[id] += 1
                if fields["attempt"] != numbers[id]:
                    raise Violation(f"{id} goes from attempt {numbers[id] - 1} to {fields['attempt']}")
            case "worker:completed":
                if id in completed:
                    raise Violation(f"{id} was completed twice")
                completed.add(id)
            case "worker:reported" if id not in RESERVED:
                said = fields["report"]["data"]["summary"]
                if said != f"{id} by attempt {fields['attempt']}":
                    raise Violation(f"attempt {fields['attempt']} of {id} was credited with {said!r}")


def _without_times(state: dict[str, Any]) -> dict[str, Any]:
    """A holder has looked at its clock: what was due by then stands in its queue like the rest."""
    return {**state, "queue": [(id, rank) for id, rank, _ in state["queue"]]}


def _plain(value: Any) -> Any:
    """As it comes out of JSON."""
    return json.loads(msgspec.json.encode(value))


class _Output:
    """What a process prints, line by line. The half of a line that SIGKILL left was told to nobody."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._begun = b""
        self._whole: deque[bytes] = deque()
        self.ended = False

    def lines(self, deadline: float) -> Iterator[dict[str, Any]]:
        """Until the deadline or the end."""
        with selectors.DefaultSelector() as selector:
            selector.register(self._descriptor, selectors.EVENT_READ)
            while True:
                while self._whole:
                    yield json.loads(self._whole.popleft())
                if not selector.select(max(0.0, deadline - time.monotonic())):
                    return
                read = os.read(self._descriptor, 65_536)
                if not read:
                    self.ended = True
                    return
                *whole, self._begun = (self._begun + read).split(b"\n")
                self._whole.extend(whole)
