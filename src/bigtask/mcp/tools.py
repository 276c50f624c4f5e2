"""What agents can ask: to make, start, plan, follow and pause runs, and to read what they came to.

It is the role `delegate`: no tool confirms a plan, answers for a person, merges, or gives more rights.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from pathlib import Path
from typing import Annotated, Any

import msgspec
from pydantic import Field

from bigtask.core.edits import Edit
from bigtask.core.events import Event
from bigtask.core.status import status
from bigtask.core.view import RunView
from bigtask.errors import InvalidInput
from bigtask.host.creation import Options
from bigtask.mcp.bounds import Bounds
from bigtask.module import OrchestratorModule

BY = "delegate"
_MOST_EVENTS = 100
_LONGEST_WAIT_S = 120.0
_LONGEST_TEXT = 60_000
"""Characters of a patch or a report: what is longer fills an agent's memory."""
_LITTLE = frozenset({"worker:progress", "worker:message", "orchestrator:progress"})

RunId = Annotated[str, Field(description="A run's id, or `last`.", max_length=64)]


class Tools:
    """Each method is a tool, and its docstring what the agent reads of it. `cwd` is the project where an
    agent names none."""

    def __init__(self, module: OrchestratorModule, bounds: Bounds, *, cwd: Path | None) -> None:
        self._module = module
        self._bounds = bounds
        self._cwd = cwd
        self._made: dict[str, float] = {}
        """What each run made here may cost."""
        self._alone = asyncio.Lock()

    def all(self) -> tuple[Any, ...]:
        return (
            self.list_templates,
            self.create_run,
            self.start_run,
            self.list_runs,
            self.get_run,
            self.follow_run,
            self.get_plan,
            self.edit_plan,
            self.pause_run,
            self.get_result,
            self.get_diff,
        )

    async def list_templates(self) -> dict[str, Any]:
        """The kinds of runs that there are. Each run is made from a template."""
        templates = self._module.templates
        found = (templates if self._cwd is None else templates.in_project(self._cwd)).list()
        return {
            "templates": [
                {"id": one.id, "name": one.name, "description": one.description}
                for one in found
                if one.usable and one.approved is not False
            ]
        }

    async def create_run(
        self,
        template: Annotated[str, Field(description="A template's id, from list_templates.", max_length=64)],
        request: Annotated[str, Field(description="What is to be done, as you would tell a colleague.")],
        cwd: Annotated[
            str | None, Field(description="Absolute path of the project; by default where this runs.")
        ] = None,
        agent: Annotated[str | None, Field(description="Which agent does the work.")] = None,
        max_workers: Annotated[int | None, Field(ge=1, le=64)] = None,
        max_budget_usd: Annotated[
            float | None, Field(gt=0, description="What the run may cost at most.")
        ] = None,
    ) -> dict[str, Any]:
        """Makes a run of one big request, which is split into tasks that several agents do in parallel.
        Nothing begins before start_run. A person confirms its plan and merges its result."""
        place = Path(cwd) if cwd is not None else self._cwd
        if place is None or not place.is_absolute():
            raise InvalidInput("give `cwd`: the absolute path of the project")
        async with self._alone:
            options = Options(
                agent=agent,
                max_workers=max_workers,
                max_budget_usd=self._bounds.cap(max_budget_usd, await self._taken()),
                depth=self._bounds.depth,
            )
            made = await self._module.orchestrators.create(
                template_id=template, cwd=place, message=request, options=options, by=BY
            )
            settings = (await self._module.run(made.id)).settings
            if settings.costs_money:
                self._made[made.id] = settings.max_budget_usd or 0.0
        return _shown(made)

    async def start_run(self, run_id: RunId) -> dict[str, Any]:
        """Begins a run: the project is analysed and a plan made, which then waits for a person."""
        return _shown(await self._module.orchestrators.start(run_id, by=BY))

    async def list_runs(self, limit: Annotated[int, Field(ge=1, le=100)] = 20) -> dict[str, Any]:
        """Runs in a few words, newest first."""
        page = await self._module.orchestrators.page(limit=limit)
        return {"runs": [_plain(one) for one in page.runs]}

    async def get_run(self, run_id: RunId) -> dict[str, Any]:
        """Where a run stands: progress, cost, what it waits for, and what can be done now."""
        return _plain(await self._module.orchestrators.status(run_id))

    async def follow_run(
        self,
        run_id: RunId,
        after: Annotated[int, Field(ge=0, description="`after` of the last answer; 0 at first.")] = 0,
        wait_s: Annotated[float, Field(ge=0, le=_LONGEST_WAIT_S)] = 30.0,
    ) -> dict[str, Any]:
        """What has happened in a run since `after`, waiting for news at most so many seconds. Ask again with
        the answer's `after` until `over` is true. Where `waiting` isn't empty, a person has to settle it:
        tell them."""
        folder = self._module.home.find(run_id)
        told: list[Event] = []
        last = after
        try:
            async with (
                asyncio.timeout(wait_s),
                aclosing(self._module.following.follow(folder, after)) as events,
            ):
                async for event in events:
                    last = event.seq
                    if event.type not in _LITTLE:
                        told.append(event)
                    run = await self._module.custody.run(folder)
                    if len(told) == _MOST_EVENTS or (told and last >= run.seq):
                        break
        except TimeoutError:
            pass
        run = await self._module.custody.run(folder)
        return {
            "events": [
                {"seq": event.seq, "type": event.type, "data": msgspec.to_builtins(event.data)}
                for event in told
            ],
            "after": last,
            "status": status(run).value,
            "waiting": [_plain(item) for item in run.waiting.values()],
            "over": run.outcome is not None and last >= run.seq,
        }

    async def get_plan(self, run_id: RunId) -> dict[str, Any]:
        """The tasks of a run with their order, its revision, and what became of each."""
        view = await self._module.orchestrators.get(run_id)
        return {
            "runId": view.id,
            "plan": _plain(view.plan) if view.plan is not None else None,
            "ledger": [_plain(entry) for entry in view.ledger],
            "warnings": list(view.warnings),
        }

    async def edit_plan(
        self,
        run_id: RunId,
        revision: Annotated[int, Field(ge=0, description="Of the plan that you have read.")],
        edits: Annotated[
            list[dict[str, Any]],
            Field(
                max_length=1_000,
                description='In order, all or none: {"op": "add", "task": {…}}, {"op": "drop", "id"}, '
                '{"op": "set", "id", "fields": {…}}, {"op": "merge", "ids", "task"}, '
                '{"op": "reorder", "ids"}.',
            ),
        ],
    ) -> dict[str, Any]:
        """Changes the plan of a run, where nobody else has meanwhile."""
        try:
            wanted = msgspec.convert(edits, tuple[Edit, ...])
        except msgspec.ValidationError as error:
            raise InvalidInput(f"the edits can't be used: {error}") from None
        return _shown(await self._module.orchestrators.edit_plan(run_id, wanted, revision=revision, by=BY))

    async def pause_run(
        self, run_id: RunId, now: Annotated[bool, Field(description="End what is under way.")] = False
    ) -> dict[str, Any]:
        """Nothing new begins, and what is under way stops at its next safe point. A person resumes it."""
        return _shown(await self._module.orchestrators.pause(run_id, now=now, by=BY))

    async def get_result(self, run_id: RunId) -> dict[str, Any]:
        """What a run has come to, also while it goes on: every task with its report, evidence and checks."""
        return _plain(await self._module.orchestrators.result(run_id))

    async def get_diff(
        self,
        run_id: RunId,
        task_id: Annotated[str | None, Field(description="Only this task's last attempt.")] = None,
    ) -> dict[str, Any]:
        """What a run, or a task of it, has changed. A long patch is cut; `files` has all of them."""
        found = await self._module.orchestrators.changes(run_id, task_id)
        return {
            "files": [_plain(file) for file in found.files],
            "patch": found.patch[:_LONGEST_TEXT],
            "cut": len(found.patch) > _LONGEST_TEXT,
        }

    async def _taken(self) -> float:
        """US dollars that the runs made here count for: one that is over for what it used, any other for its
        cap, or what it used where that is more."""
        taken = 0.0
        for id, cap in self._made.items():
            run = await self._module.run(id)
            taken += run.used.cost_usd if run.outcome is not None else max(cap, run.used.cost_usd)
        return taken


def _shown(view: RunView) -> dict[str, Any]:
    return {
        "runId": view.id,
        "status": view.status.value,
        "revision": view.plan.revision if view.plan is not None else None,
        "waiting": [_plain(item) for item in view.waiting],
        "summary": view.summary,
    }


def _plain(value: object) -> dict[str, Any]:
    found = msgspec.to_builtins(value)
    assert isinstance(found, dict)
    return found
