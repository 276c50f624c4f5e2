"""A session in Claude Desktop: its turns, and what is asked, said and interrupted meanwhile."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import ExitStack, aclosing, asynccontextmanager, suppress
from dataclasses import replace
from typing import Any

from bigtask.agents.desktop.application import Application, Refused
from bigtask.agents.desktop.asking import Asked, Reply, asked, mode, settled
from bigtask.agents.desktop.connection import Away
from bigtask.agents.desktop.surface import Pending, Seen, texts_of
from bigtask.agents.desktop.transcript_rows import Rows
from bigtask.agents.protocol import Opening, Prompt, SessionEvent, SessionLost, TurnEnded, UsageReported
from bigtask.core.liveness import Activity
from bigtask.errors import AgentUnavailable, Conflict
from bigtask.sink import log

_RULES = (
    "You work for bigtask, which runs several sessions side by side; each has its own folder and nobody "
    "watches. Work only below the current directory. Don't commit, push, switch branches or create "
    "worktrees: bigtask does.\n\n"
)
_GO_ON = (
    "Your turn was broken off in its middle, because the application was restarted. Look at what is done "
    "already, go on from there, and end with the answer in the form that you were asked for."
)
_MOST_BREAKS = 3
_HEARTBEAT_S = 5.0
"""How often one looks although news would be told: what tells it may have got lost."""
_QUIET_S = 2.0
"""After how long a turn that nothing goes on in counts as over, although no row says that it has ended."""
_REACTION_S = 20.0
_SOON_S = 0.1
_CLOSING_S = 3.0


@asynccontextmanager
async def opened(opening: Opening, application: Application) -> AsyncIterator[DesktopSession]:
    """Leaving the block interrupts the running turn; a session whose last turn ended well is archived."""
    with ExitStack() as stack:
        session = DesktopSession(opening, application, stack)
        try:
            yield session
        finally:
            await session.stop()


async def end_left(application: Application, name: str) -> bool:
    """Interrupts the session of that name, waits until it has stopped and archives it. Whether there was one
    that wasn't archived yet.

    Raises AgentUnavailable where the application doesn't do it, and SessionLost where it doesn't answer.
    """
    seen = await application.look(name, None)
    if seen is None or (seen.archived and not seen.running):
        return False
    try:
        if seen.running or seen.pending:
            await application.ask("interrupt", seen.id)
            async with asyncio.timeout(_REACTION_S):
                while (now := await application.look(name, None)) is not None and now.running:  # noqa: ASYNC110 - where nothing is pushed, nothing tells it
                    await asyncio.sleep(_SOON_S)
        await application.ask("archive", seen.id)
    except TimeoutError:
        raise AgentUnavailable("Claude Desktop doesn't react to an interruption") from None
    except (Away, Refused) as error:
        raise AgentUnavailable(f"Claude Desktop doesn't end the session {name}: {error}") from error
    return True


class DesktopSession:
    """The application keeps the session, so that it is still there after any of us was restarted. It is found
    by its id, which is ours, or by its title, where the application gives ids of its own."""

    def __init__(self, opening: Opening, application: Application, stack: ExitStack) -> None:
        self._opening = opening
        self._application = application
        self._name = opening.resume or opening.name
        self._there = self._name
        """Its id as the application has it."""
        self._rows = Rows(opening.cwd)
        self._after: str | None = None
        self._looked_at = 0.0
        self._news = asyncio.Event()
        self._stack = stack
        self._stack.enter_context(application.listening(self._name, self._news))
        self._asked: dict[str, Asked] = {}
        self._replied: dict[str, Reply] = {}
        self._unsaid: list[str] = []
        self._in_turn = False
        self._begun = False
        self._interrupted = False
        self._interrupted_at: float | None = None
        self._ended: TurnEnded | None = None
        self._lost: SessionLost | None = None
        self._told = False

    @property
    def id(self) -> str:
        return self._name

    def activity(self) -> Activity:
        """Its processes are the application's: what they do can't be seen."""
        return Activity(cpu_s=None, pids=frozenset(), printed=0)

    def turn(self, prompt: Prompt) -> AsyncGenerator[SessionEvent, None]:
        """Raises `Conflict` when the turn before wasn't read to its end.

        The turn begins with the call: an interruption that comes before its first event still counts.
        """
        if self._in_turn:
            raise Conflict("the turn before this one hasn't ended: read it to its end first")
        self._in_turn = True
        self._interrupted, self._interrupted_at, self._ended = False, None, None
        return self._turn(prompt)

    async def answer(self, request_id: str, answer: str) -> None:
        for one in self._asked.values():
            if any(question.request_id == request_id for question in one.questions):
                one.answers.setdefault(request_id, answer)
        self._news.set()

    async def send(self, text: str) -> None:
        """The application hands it to the running turn; else it goes before the next prompt."""
        if self._begun and self._in_turn:
            await self._say(text)
        else:
            self._unsaid.append(text)

    async def interrupt(self) -> None:
        self._interrupted = True
        self._news.set()

    async def stop(self) -> None:
        with suppress(TimeoutError, Away, Refused):
            async with asyncio.timeout(_CLOSING_S):
                if self._begun and self._in_turn:
                    await self._application.ask("interrupt", self._there)
                elif self._ended is not None and self._ended.reason == "end":
                    await self._application.ask("archive", self._there)

    async def _turn(self, prompt: Prompt) -> AsyncGenerator[SessionEvent, None]:
        try:
            if self._lost is not None:
                raise self._lost
            async with aclosing(self._play(prompt)) as events:
                async for event in events:
                    if isinstance(event, TurnEnded):
                        self._in_turn = self._begun = False
                        self._ended = event
                    yield event
        except SessionLost as lost:
            self._lost = lost
            self._in_turn = self._begun = False
            raise

    async def _play(self, prompt: Prompt) -> AsyncGenerator[SessionEvent, None]:
        there, used = await self._caught_up()
        if used is not None:
            yield used
        if there is not None:
            # Whatever it is at when we come back isn't broken off: the prompt comes after that.
            self._begun = there.running
            self._rows.begin()
            async with aclosing(self._follow(there, ours=False)) as events:
                async for event in events:
                    if not isinstance(event, TurnEnded):
                        yield event
        if self._interrupted:
            yield TurnEnded(reason="interrupted")
            return
        unsaid, self._unsaid = self._unsaid, []
        text = "\n\n".join((*unsaid, prompt.text))
        if there is None:
            text = f"{_RULES}{text}"
        self._rows.begin(ours=True)
        for _ in range(_MOST_BREAKS):
            await self._deliver(text, new=there is None)
            self._begun = True
            there = await self._look()
            self._notice_model(there)
            async with aclosing(self._follow(there, ours=True)) as events:
                async for event in events:
                    yield event
                    if isinstance(event, TurnEnded):
                        return
            text = _GO_ON
        raise SessionLost(f"the session broke off {_MOST_BREAKS} times in the middle of its turn")

    async def _caught_up(self) -> tuple[Seen | None, UsageReported | None]:
        """The session as it is, with its rows read; of them only what was used still has to be told."""
        used: UsageReported | None = None
        while (seen := await self._look()) is not None:
            for row in seen.rows:
                for event in self._rows.events(row, now_s=time.time()):
                    used = event if isinstance(event, UsageReported) else used
            if not seen.more:
                return replace(seen, rows=()), used
        return None, None

    async def _follow(self, seen: Seen | None, *, ours: bool) -> AsyncGenerator[SessionEvent, None]:
        """A turn's events up to its end; without a `TurnEnded` where it just stopped."""
        loop = asyncio.get_running_loop()
        quiet_since: float | None = None
        while True:
            if seen is None:
                raise SessionLost(
                    f"the session {self._name} isn't in Claude Desktop any more: it was deleted there"
                )
            heard = bool(seen.rows)
            for row in seen.rows:
                for event in self._rows.events(row, now_s=time.time()):
                    yield event
            if not seen.more:
                for question in await self._take_up(seen.pending):
                    yield question
                if seen.running or (seen.pending and not self._interrupted):
                    quiet_since = None
                else:
                    ended = self._how()
                    if ended is not None:
                        yield ended
                    if ended is not None or not ours:
                        return
                    if quiet_since is None or heard:
                        quiet_since = loop.time()
                    if loop.time() >= quiet_since + _QUIET_S:
                        if self._rows.spoken:
                            yield TurnEnded()
                        return
                await self._end_if_wanted()
                await self._wait(quiet_since)
            seen = await self._look()

    def _how(self) -> TurnEnded | None:
        """How a turn that doesn't run has ended. One that is to be interrupted may not have begun to run yet,
        so that it has to be interrupted first."""
        if not self._interrupted:
            return self._rows.instead or self._rows.end
        return None if self._interrupted_at is None else TurnEnded(reason="interrupted")

    async def _take_up(self, pending: tuple[Pending, ...]) -> list[SessionEvent]:
        """What has to be asked, of what the application wants to know; the rest is replied to. What is still
        open although it was replied to is replied to again: that got lost."""
        new: list[SessionEvent] = []
        for one in pending:
            known = self._asked.get(one.request_id)
            reply = known.reply if known is not None else settled(one, self._opening)
            if reply is not None:
                await self._reply(one, reply)
            elif known is None:
                question = self._asked[one.request_id] = asked(one, self._opening.cwd)
                new += question.questions
        return new

    async def _reply(self, pending: Pending, reply: Reply) -> None:
        extra = () if reply.given is None else (dict(reply.given),)
        # That it is open no more, or that the page is away, is seen by looking.
        with suppress(Away, Refused):
            await self._application.ask("respondToToolPermission", pending.request_id, reply.decision, *extra)
        if reply.words and pending.request_id not in self._replied:
            await self._say(reply.words)
        self._replied[pending.request_id] = reply

    async def _end_if_wanted(self) -> None:
        """Raises SessionLost where a turn that was to end does not."""
        if not self._interrupted and self._rows.instead is None:
            return
        now = asyncio.get_running_loop().time()
        if self._interrupted_at is None:
            self._interrupted_at = now
            with suppress(Away, Refused):
                await self._application.ask("interrupt", self._there)
        elif now >= self._interrupted_at + _REACTION_S:
            raise SessionLost("Claude Desktop doesn't react to an interruption")

    async def _wait(self, quiet_since: float | None) -> None:
        """For news, and no longer than it takes until one looks anyway."""
        most_s = _HEARTBEAT_S
        if not self._application.pushes:
            looking_s = asyncio.get_running_loop().time() - self._looked_at
            most_s = max(_SOON_S, self._opening.poll_interval_ms / 1000 - looking_s)
        if quiet_since is not None:
            most_s = min(most_s, _QUIET_S)
        if self._interrupted_at is not None:
            most_s = min(most_s, _SOON_S)
        with suppress(TimeoutError):
            async with asyncio.timeout(most_s):
                await self._news.wait()

    async def _look(self) -> Seen | None:
        # Before: what comes while one looks is looked at once more.
        self._news.clear()
        self._looked_at = asyncio.get_running_loop().time()
        seen = await self._application.look(self._there, self._after)
        if seen is not None:
            if seen.id != self._there:
                self._there = seen.id
                self._stack.enter_context(self._application.listening(seen.id, self._news))
            if seen.rows:
                last = seen.rows[-1].get("uuid")
                self._after = last if isinstance(last, str) else self._after
        return seen

    async def _say(self, text: str) -> None:
        with suppress(Away, Refused):
            await self._application.ask("sendMessage", self._there, text)

    async def _deliver(self, text: str, *, new: bool) -> None:
        """The prompt, once: where the application went away before it said that it has it, its transcript is
        asked first. Raises SessionLost where it won't take it."""
        for _ in range(_MOST_BREAKS):
            try:
                if new:
                    await self._application.ask("start", self._start(text))
                else:
                    await self._application.ask("sendMessage", self._there, text)
            except Refused as error:
                raise SessionLost(f"Claude Desktop refuses the session: {error}") from error
            except Away:
                if await self._has(text, new=new):
                    return
            else:
                return
        raise SessionLost("Claude Desktop went away each time that it was given the prompt")

    def _notice_model(self, seen: Seen | None) -> None:
        wanted = self._opening.model
        if seen is None or wanted is None or seen.model in (None, wanted) or self._told:
            return
        self._told = True
        log("WorkerManager").warning("%s works with %s, not with %s as asked", self._name, seen.model, wanted)

    async def _has(self, text: str, *, new: bool) -> bool:
        seen = await self._application.look(self._there, self._after)
        if seen is None or new:
            return seen is not None
        said = (each.strip() for row in seen.rows if row.get("type") == "user" for each in texts_of(row))
        return text.strip() in said

    def _start(self, text: str) -> dict[str, Any]:
        opening = self._opening
        wanted = {
            "sessionId": self._name,
            "title": self._name,
            "cwd": str(opening.cwd),
            "message": text,
            "permissionMode": mode(opening),
            "model": opening.model,
            "effort": opening.effort,
            "useWorktree": False,
        }
        return {name: value for name, value in wanted.items() if value is not None}
