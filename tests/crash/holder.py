"""Holds one run until it ends, and prints what a watcher learns of it, a JSON object a line:

`{"ready": true}` when commands are taken; `{"seq", "at", "type", "data"}` for each event that reached a
follower; `{"state", "seq"}` now and then, the whole view of the run as it is in memory.

With `--mutant` one of the defences is taken out, so that the tests can be seen to fail without it.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec

from bigtask.agents.table import AgentTable
from bigtask.core import observations as o
from bigtask.core.commands import Start
from bigtask.core.events import Event, Happened, WorkerReopened
from bigtask.core.recovery import recover
from bigtask.core.run import Run
from bigtask.core.states import AttemptState, TaskState
from bigtask.core.values import Report
from bigtask.core.view import view
from bigtask.host import holder as holders
from bigtask.host.access import hold
from bigtask.host.holder import Holder
from bigtask.host.home import RunFolder

_STATE_EVERY = 20


def say(value: Any) -> None:
    # One write of a whole line: what was said before SIGKILL is in the pipe.
    sys.stdout.buffer.write(msgspec.json.encode(value) + b"\n")
    sys.stdout.buffer.flush()


def say_state(run: Run) -> None:
    say({"state": view(run), "seq": run.seq})


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


async def carry_out(folder: RunFolder, after: int) -> None:
    async with hold(folder, AgentTable(), who="the crash tests") as link:
        await link.ask(Start(by="the crash tests"))
        say({"ready": True})
        report_late(link.holder)
        say_state(link.holder.run)
        async for event in link.follow(after):
            say({"seq": event.seq, "at": event.at, "type": event.type, "data": event.data})
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
        return o.observe(run, replace(seen, attempt=current), **options)

    holders.observe = careless


MUTANTS: dict[str, Callable[[], None]] = {
    "acknowledge-before-commit": acknowledge_before_commit,
    "recovery-resets-completed-tasks": recover_completed_tasks,
    "no-fencing": no_fencing,
}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--after", type=int, default=0)
    parser.add_argument("--mutant", choices=MUTANTS)
    given = parser.parse_args()
    if given.mutant:
        MUTANTS[given.mutant]()
    asyncio.run(carry_out(RunFolder(given.folder), given.after))


if __name__ == "__main__":
    main()
