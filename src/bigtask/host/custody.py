"""The runs that this process carries out, and the way to those that it doesn't."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TypeVar

from bigtask.agents.table import AgentTable
from bigtask.core.commands import AnyCommand
from bigtask.core.hooks import due
from bigtask.core.run import Run
from bigtask.core.states import IllegalMove
from bigtask.errors import BigtaskError, Conflict, HolderGone, StoreError
from bigtask.host import access
from bigtask.host.home import RunFolder
from bigtask.host.link import LocalLink, RunLink, named
from bigtask.host.lock import reading
from bigtask.host.nesting import Handed
from bigtask.sink import log

T = TypeVar("T")

_ADOPTED_S = 10.0


class Custody:
    """A run is taken up when somebody wants it to go on, and let go of when it rests: a paused or ended run
    costs nothing, and another process may have it. What another process carries out is asked there."""

    def __init__(
        self,
        agents: AgentTable,
        *,
        who: str,
        closed: str,
        hand_over: Callable[[RunFolder], Awaitable[object]] | None = None,
        handed: Handed | None = None,
    ) -> None:
        """`who` other processes are told that the run is held by; `closed` is the sentence for those who ask
        before `open` or after `close`. `hand_over` may let another process take up what would be taken up
        here. `handed` are variables for the sessions of attempts."""
        self._agents = agents
        self._handed = handed
        self._hand_over = hand_over
        self._who = who
        self._closed = closed
        self._open = False
        self._held: dict[str, _Held] = {}
        self._alone: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._news = asyncio.Event()
        self._ending = False

    @property
    def ending(self) -> bool:
        return self._ending

    def open(self) -> None:
        self._open, self._ending = True, False

    def local(self, run_id: str) -> LocalLink | None:
        """The link to the run's holder where that is in this process; None where it isn't at this moment."""
        held = self._held.get(run_id)
        if held is None or not held.link.done() or held.link.cancelled() or held.link.exception():
            return None
        link = held.link.result()
        return link if isinstance(link, LocalLink) else None

    def held_here(self) -> list[Run]:
        links = (self.local(run_id) for run_id in self._held)
        return [link.holder.run for link in links if link is not None]

    def troubles(self) -> dict[str, str]:
        """Why nothing can be recorded at the moment, by run."""
        links = ((run_id, self.local(run_id)) for run_id in self._held)
        return {id: link.holder.trouble for id, link in links if link is not None and link.holder.trouble}

    def is_live(self, run_id: str, task_id: str, number: int) -> bool:
        link = self.local(run_id)
        return link is not None and link.holder.run.is_live(task_id, number)

    async def changed(self, timeout_s: float) -> None:
        """Waits until this process has taken up or let go of some run, or the time is over."""
        news = self._news
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await news.wait()

    async def run(self, folder: RunFolder) -> Run:
        """The state by now. Raises what `access.read_run` raises, and StoreError for a log whose events can't
        follow each other."""
        link = self.local(folder.id)
        if link is not None:
            return link.holder.run
        try:
            return await access.read_run(folder)
        except IllegalMove as error:
            raise StoreError(
                f"the log of {folder.id} can't be followed ({error}): "
                f"`bigtask logs {folder.id} --verify` says where"
            ) from None

    def is_held(self, folder: RunFolder) -> bool:
        """Whether this process or another one holds the run."""
        if self.local(folder.id) is not None:
            return True
        with reading(folder.lock) as free:
            return not free

    async def carry_on(self, folder: RunFolder, command: AnyCommand) -> Run:
        """The run after the command, which from then on is carried out, by this process unless another one
        does it already."""
        wanted = named(command)
        while True:
            held = await self._taken_up(folder)
            link = held.link.result()
            try:
                with held.used():
                    await link.ask(wanted)
            except HolderGone:
                await held.ended()
                continue  # asked again under its name, it isn't done twice
            if isinstance(link, LocalLink):
                self._look(folder, link)
                return link.holder.run
            run = await self.run(folder)
            # Whoever had it may only have recorded the command, as `bigtask pause` does.
            if _rests(run) or self.is_held(folder):
                return run

    async def ask(self, folder: RunFolder, command: AnyCommand) -> Run:
        """The run after the command, which nobody begins to carry out for it."""
        wanted = named(command)

        async def work(link: RunLink) -> None:
            await link.ask(wanted)
            if isinstance(link, LocalLink):
                self._look(folder, link)

        await self.through(folder, work)
        return await self.run(folder)

    async def through(self, folder: RunFolder, work: Callable[[RunLink], Awaitable[T]]) -> T:
        """What `work` finds over the link to whoever holds the run. Where nobody does, nothing is started by
        it. `work` is done again when the holder ended before it had answered."""
        while True:
            held = self._held.get(folder.id)
            try:
                if held is not None:
                    link = await asyncio.shield(held.link)
                    with held.used():
                        return await work(link)
                async with self._alone[folder.id]:
                    if folder.id in self._held:
                        continue
                    self._require_open()
                    async with access.attach(folder, self._agents, who=self._who, idle=True) as link:
                        return await work(link)
            except HolderGone:
                if held is not None:
                    await held.ended()

    async def link(self, folder: RunFolder) -> RunLink:
        """The way to the run's holder; this process becomes it where there is none."""
        return (await self._taken_up(folder)).link.result()

    async def adopt(self, folder: RunFolder) -> None:
        """Takes the run up for somebody who is about to ask its holder for something. If nothing comes of
        it, the run is let go of again."""
        held = await self._taken_up(folder)
        asyncio.get_running_loop().call_later(_ADOPTED_S, held.look)

    async def let_go(self, run_id: str) -> None:
        """Waits until this process doesn't hold the run any more, so that another one can."""
        held = self._held.get(run_id)
        if held is not None and held.task is not None:
            held.enough.set()
            await asyncio.wait([held.task])

    async def close(self) -> None:
        """Lets go of every run: whoever takes one up next goes on with it."""
        self._open, self._ending = False, True
        held = [one.task for one in self._held.values() if one.task is not None]
        for one in self._held.values():
            one.enough.set()
        if held:
            await asyncio.wait(held)
        self.tell()

    def _require_open(self) -> None:
        if not self._open:
            raise Conflict(self._closed)

    async def _taken_up(self, folder: RunFolder) -> _Held:
        """Its link is there. Raises what keeps the run from being held."""
        held = self._held.get(folder.id)
        if held is None:
            async with self._alone[folder.id]:
                held = self._held.get(folder.id)
                if held is None:
                    self._require_open()
                    held = self._held[folder.id] = _Held()
                    held.task = asyncio.create_task(self._carry(folder, held), name=f"run {folder.id}")
                    held.task.add_done_callback(lambda task: self._ended(folder, held, task))
        await asyncio.shield(held.link)
        return held

    async def _carry(self, folder: RunFolder, held: _Held) -> None:
        """Opened, used and closed in one task."""
        if self._hand_over is not None:
            await self._hand_over(folder)
        async with access.attach(folder, self._agents, who=self._who, handed=self._handed) as link:
            held.link.set_result(link)
            if not isinstance(link, LocalLink):
                return
            self.tell()
            enough = asyncio.create_task(held.enough.wait())
            try:
                while not await held.leave(link.holder.run):
                    await self._until_it_rests(link, held, enough)
            finally:
                enough.cancel()
                await asyncio.wait({enough})

    async def _until_it_rests(self, link: LocalLink, held: _Held, enough: asyncio.Task[bool]) -> None:
        """Waits until the run rests, or is to be let go of. After a command that changed nothing no event
        comes: then `quiet` says that the run may rest."""
        following = asyncio.create_task(self._followed(link, held))
        quiet = asyncio.create_task(held.quiet.wait())
        try:
            await asyncio.wait({following, quiet, enough}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            following.cancel()
            quiet.cancel()
            await asyncio.wait({following, quiet})
            held.quiet.clear()

    async def _followed(self, link: LocalLink, held: _Held) -> None:
        async for _ in link.follow(link.holder.run.seq):
            held.wanted = False
            if _rests(link.holder.run):
                return
        held.enough.set()  # its holder has ended; leaving `attach` raises what ended it

    def _ended(self, folder: RunFolder, held: _Held, task: asyncio.Task[None]) -> None:
        """One run's trouble is no other run's: it is told to whoever waits, and logged."""
        if self._held.get(folder.id) is held:
            del self._held[folder.id]
        held.gone.set()
        problem = None if task.cancelled() else task.exception()
        if problem is not None:
            bug = None if isinstance(problem, BigtaskError) else problem
            log("OrchestratorManager").error("run %s: %s", folder.id, problem, exc_info=bug)
        if not held.link.done():
            held.link.set_exception(problem or HolderGone("the run was let go of"))
            held.link.exception()  # marked as seen: asyncio would log it where nobody waits
        self.tell()

    def _look(self, folder: RunFolder, link: LocalLink) -> None:
        """After a command that changed nothing no event comes, and the run may rest already."""
        held = self._held.get(folder.id)
        if held is not None and _rests(link.holder.run):
            held.look()

    def tell(self) -> None:
        """Wakes everybody who waits in `changed`."""
        self._news.set()
        self._news = asyncio.Event()


class _Held:
    def __init__(self) -> None:
        self.link: asyncio.Future[RunLink] = asyncio.get_running_loop().create_future()
        self.enough = asyncio.Event()
        """The run is to be let go of, whatever it does."""
        self.quiet = asyncio.Event()
        """The run may rest: somebody should look."""
        self.wanted = True
        """Somebody has just taken the run up, and hasn't said yet what for."""
        self.task: asyncio.Task[None] | None = None
        self.gone = asyncio.Event()
        """The run may be taken up anew."""
        self._users = 0
        self._unused = asyncio.Event()
        self._unused.set()
        self._leaving = False

    @contextmanager
    def used(self) -> Iterator[None]:
        """The run isn't let go of while the block runs: what is done outside of the rules, such as a merge,
        has to be recorded as well. Raises HolderGone when it is being let go of already."""
        if self._leaving:
            raise HolderGone("the run is being let go of: ask again")
        self.wanted = False
        self._users += 1
        self._unused.clear()
        try:
            yield
        finally:
            self._users -= 1
            if not self._users:
                self._unused.set()

    def look(self) -> None:
        """Nobody is about to ask for anything any more."""
        self.wanted = False
        self.quiet.set()

    async def leave(self, run: Run) -> bool:
        """Whether nobody uses the run any more, and nobody can: when it rests, or it is enough."""
        while self._users:
            await self._unused.wait()
        # Whoever used it last may have set it going again.
        self._leaving = self.enough.is_set() or (_rests(run) and not self.wanted)
        return self._leaving

    async def ended(self) -> None:
        """When it isn't held any more. Raises what ended it, where something did."""
        if self.task is not None:
            # Not the task's own end: whoever looks then still finds the run held, and would look for ever.
            await self.gone.wait()
            self.task.result()


def _rests(run: Run) -> bool:
    """Whether nothing is under way, and nothing will be before somebody asks for it."""
    if run.outcome is not None:
        return not due(run) and not run.live and not run.integrating
    return (run.paused or not run.started) and not run.live and not run.integrating


def goes_on(run: Run) -> bool:
    """Whether the run has begun and is neither paused nor over: somebody should carry it out."""
    return run.started and run.outcome is None and not run.paused
