"""The Python API: `OrchestratorModule`, by which the server works as well.

Each call is a command to the run's holder, which is this process unless another one has the run already, or a
view of what is recorded.
"""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from bigtask.agents.protocol import Agent
from bigtask.agents.table import AgentTable
from bigtask.approvals import Approvals
from bigtask.callbacks import Callback, Callbacks
from bigtask.core.commands import AnyCommand
from bigtask.core.events import Cancelled, Completed, Errored, Event
from bigtask.core.run import Run
from bigtask.errors import Conflict, InvalidInput
from bigtask.host.custody import Custody, goes_on
from bigtask.host.following import Following
from bigtask.host.home import Home, RunFolder
from bigtask.host.link import RunLink
from bigtask.host.nesting import Handed
from bigtask.orchestrators import OrchestratorManager
from bigtask.protocol.parser import ResponseParser
from bigtask.templates.manager import TemplateManager
from bigtask.workers import WorkerManager


@dataclass(frozen=True, kw_only=True)
class WorkerConfig:
    """What governs a module's runs where their own options say nothing, over templates and configuration.
    Times in milliseconds."""

    max_workers: int | None = None
    poll_interval: int | None = None
    """Only for agents that can't push."""
    worker_timeout: int | None = None
    retry_limit: int | None = None
    spawn_delay: int | None = None


class OrchestratorModule:
    """Use as `async with`, or call `initialize` and, at the end, `close`.

    A run is carried out here from when it is started until it rests: paused or over. Closing lets go of those
    under way: whoever takes them up next goes on.
    """

    def __init__(
        self,
        agent: str | Agent | None = None,
        *,
        worker: WorkerConfig | None = None,
        templates_dir: Path | str | None = None,
        home: Path | str | None = None,
        agents: AgentTable | None = None,
        environ: Mapping[str, str] | None = None,
        who: str = "a Python program",
        closed: str = "the module isn't open: use `async with`, or call initialize() first",
        hand_over: Callable[[RunFolder], Awaitable[object]] | None = None,
        handed: Handed | None = None,
    ) -> None:
        """`agent` is a name of the table or an agent object; `home` is where runs are kept. `environ` holds
        the variables that count as configuration, by default those of this process. `who` other processes
        are told that a run is held by; `closed` is the sentence for those who ask when it isn't open.
        `hand_over` may let another process take up what would be carried out here; `handed` are variables for
        the sessions of attempts."""
        own = {} if agent is None or isinstance(agent, str) else {agent.name: agent}
        self.agent = agent if agent is None or isinstance(agent, str) else agent.name
        self.agents = agents or AgentTable(own)
        self.environ = os.environ if environ is None else environ
        self.worker_config = worker or WorkerConfig()
        self.home = Home(Path(home).absolute()) if home is not None else Home.of(os.environ)
        user_dir = Path(templates_dir) if templates_dir is not None else self.home.templates
        self.templates = TemplateManager(user_dir=user_dir, approvals=Approvals(self.home.approvals))
        self.parser = ResponseParser()
        self.custody = Custody(self.agents, who=who, closed=closed, hand_over=hand_over, handed=handed)
        self.following = Following(self.custody)
        self.orchestrators = OrchestratorManager(self)
        self.workers = WorkerManager(self)
        self._callbacks = Callbacks(self.following, self.templates)

    async def initialize(self) -> None:
        self.custody.open()

    async def close(self) -> None:
        await self.custody.close()
        await self._callbacks.close()

    async def __aenter__(self) -> Self:
        await self.initialize()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def on(self, event_type: str, callback: Callback) -> Callable[[], None]:
        """Calls `callback(run_id, event)` for each recorded event of that type (`*`: of any) in the runs that
        this module makes or is asked about a change of, from then on, and `callback(template_id, event)` for
        those of templates. Returns what ends it."""
        return self._callbacks.on(event_type, callback)

    async def events(self, run_id: str, after: int = 0) -> AsyncGenerator[Event, None]:
        """In order from `after` on, without gap or repeat, up to the next event that ends the run, whoever
        carries it out. One that had begun and that nobody carries out any more is taken up for it."""
        folder = self.home.find(run_id)
        if goes_on(await self.custody.run(folder)) and not self.custody.is_held(folder):
            await self.custody.link(folder)
        async with aclosing(self.following.follow(folder, after)) as events:
            async for event in events:
                yield event
                if isinstance(event.data, Completed | Errored | Cancelled):
                    return
        raise Conflict("the module was closed, or the run deleted, before the run had ended")

    def templates_of(self, cwd: Path | str) -> TemplateManager:
        """The templates as seen from the folder `cwd`: those of its repository among them. Raises
        InvalidInput for what can't be a folder."""
        try:
            return self.templates.in_project(Path(cwd))
        except (OSError, ValueError) as error:
            raise InvalidInput(f"{str(cwd)[:200]!r} can't be a folder: {_why(error)}") from None

    async def link(self, run_id: str) -> RunLink:
        """The way to the run's holder; this process becomes it when there is none."""
        return await self.custody.link(self.home.find(run_id))

    async def run(self, run_id: str) -> Run:
        """The state as it is recorded by now."""
        return await self.custody.run(self.home.find(run_id))

    async def ask(self, run_id: str, command: AnyCommand) -> Run:
        """The run after the command, which nobody begins to carry out for it."""
        return await self.custody.ask(await self.heard(run_id), command)

    async def carry_on(self, run_id: str, command: AnyCommand) -> Run:
        """The run after the command, which from then on is carried out, here unless another process does it
        already."""
        return await self.custody.carry_on(await self.heard(run_id), command)

    async def heard(self, run_id: str) -> RunFolder:
        """The run's folder; callbacks hear from now on what happens in it."""
        folder = self.home.find(run_id)
        if self._callbacks.wanted and not self._callbacks.hears(folder.id):
            self._callbacks.listen(folder, (await self.custody.run(folder)).seq)
        return folder

    def made(self, folder: RunFolder) -> None:
        """A run that is new: callbacks hear of it from its beginning."""
        self._callbacks.listen(folder, 0)
        self.custody.tell()


def _why(error: OSError | ValueError) -> str:
    return error.strerror or str(error) if isinstance(error, OSError) else str(error)
