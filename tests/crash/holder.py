"""Holds one run until it ends, and prints what a watcher learns of it, a JSON object a line:

`{"ready": true}` when commands are taken; `{"seq", "at", "type", "data"}` for each event that reached a
follower; `{"state", "seq"}` at the beginning, now and then and at the end, the whole run as it is in memory.

It keeps snapshots far more often than a holder usually does, so that the next one begins with one, and tries
again far sooner: the longer wait would show nothing more.

With `--mutant` one of the defences is taken out, so that the tests can be seen to fail without it.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

# What a holder imports when it comes to it, so that a nursery's have it already.
from bigtask.agents.scripted import agent as _agent  # noqa: F401
from bigtask.agents.table import AgentTable
from bigtask.core import observations as o
from bigtask.core import reactions, retry
from bigtask.core.commands import Answer, Start
from bigtask.core.events import Event, Happened, WaitingRaised, WorkerReopened
from bigtask.core.recovery import recover
from bigtask.core.run import Run
from bigtask.core.states import AttemptState, TaskState
from bigtask.core.values import Report, Usage
from bigtask.errors import Conflict, NotFound
from bigtask.host import holder as holders
from bigtask.host import snapshot
from bigtask.host.access import hold
from bigtask.host.holder import Holder
from bigtask.host.home import RunFolder
from bigtask.host.link import RunLink

_STATE_EVERY = 20
_SNAPSHOT_EVERY = 15


def say(value: Any) -> None:
    # One write of a whole line: what was said before SIGKILL is in the pipe.
    sys.stdout.buffer.write(msgspec.json.encode(value) + b"\n")
    sys.stdout.buffer.flush()


def say_state(run: Run) -> None:
    say({"state": msgspec.Raw(snapshot.encoded(run)), "seq": run.seq})


def report_late(holder: Holder) -> None:
    """What an agent left over from before would do: report for the attempt that was taken from it."""
    for record in list(holder.run.all_records()):
        for attempt in record.attempts:
            if attempt.state is AttemptState.LOST:
                said = f"{record.task.id} by attempt {attempt.number}"
                data = {"task_id": record.task.id, "status": "success", "summary": said}
                holder.see(
                    o.Reported(task_id=record.task.id, attempt=attempt.number, report=Report(data=data))
                )


async def answer(link: RunLink, waiting: str) -> None:
    """As the person would who is asked where a session was interrupted too often to answer."""
    with suppress(NotFound, Conflict):
        await link.ask(Answer(waiting_id=waiting, answer="retry"))


async def carry_out(folder: RunFolder, after: int) -> None:
    async with hold(folder, AgentTable(), who="the crash tests") as link:
        await link.ask(Start(by="the crash tests"))
        say({"ready": True})
        report_late(link.holder)
        say_state(link.holder.run)
        for waiting in list(link.holder.run.waiting):
            await answer(link, waiting)
        async for event in link.follow(after):
            say({"seq": event.seq, "at": event.at, "type": event.type, "data": event.data})
            if isinstance(event.data, WaitingRaised):
                await answer(link, event.data.waiting.id)
            ended = event.type in ("orchestrator:completed", "orchestrator:error", "orchestrator:cancelled")
            if ended or event.seq % _STATE_EVERY == 0:
                say_state(link.holder.run)
            if ended:
                return


def acknowledge_before_commit() -> None:
    async def append(self: Any, events: list[Event]) -> None:
        if events:
            self.feed.publish(events)
            for _ in range(3):
                await asyncio.sleep(0)
            await self._log.append(events[0].seq - 1, events)

    Holder._append = append  # type: ignore[method-assign]  # the mutant


def recover_completed_tasks() -> None:
    def careless(run: Run, **options: Any) -> tuple[Happened, ...]:
        done = [r.task.id for r in run.tasks.values() if r.state is TaskState.COMPLETED]
        return (*recover(run, **options), *(WorkerReopened(task_id=id) for id in done))

    holders.recover = careless


def no_fencing() -> None:
    def careless(run: Run, seen: o.Observation, **options: Any) -> tuple[Happened, ...]:
        record = run.record(seen.task_id)
        current = len(record.attempts) if record is not None else seen.attempt
        return reactions.observe(run, msgspec.structs.replace(seen, attempt=current), **options)

    holders.observe = careless


def snapshots_forget() -> None:
    decoded = snapshot.decoded

    def careless(state: bytes) -> Run:
        run = decoded(state)
        run.used = Usage(input_tokens=1)
        return run

    snapshot.decoded = careless


MUTANTS: dict[str, Callable[[], None]] = {
    "acknowledge-before-commit": acknowledge_before_commit,
    "recovery-resets-completed-tasks": recover_completed_tasks,
    "no-fencing": no_fencing,
    "snapshots-forget": snapshots_forget,
}


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--after", type=int, default=0)
    parser.add_argument("--mutant", choices=MUTANTS)
    given = parser.parse_args(argv)
    if given.mutant:
        MUTANTS[given.mutant]()
    patient = retry.delay_ms
    reactions.delay_ms = lambda *of, **options: (patient(*of, **options) or 0) // 20 or None
    assert snapshot.SnapshotLog.__init__.__kwdefaults__ is not None
    snapshot.SnapshotLog.__init__.__kwdefaults__["every"] = _SNAPSHOT_EVERY
    snapshot._EVERY_OF_TASKS = 0
    asyncio.run(carry_out(RunFolder(given.folder), given.after))


if __name__ == "__main__":
    main()
