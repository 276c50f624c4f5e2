"""One attempt, from opening its session to its last word. The same code under every host.

It talks with the agent, streams what it says into the transcript, reads the protocol, asks again when the
answer isn't usable, and returns one final observation. It records nothing and knows no log: whatever it
notices on the way goes to `notice`.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

import msgspec

from bigtask.agents.protocol import (
    Agent,
    Limited,
    Opening,
    PermissionAsked,
    Prompt,
    Reported,
    Session,
    SessionEvent,
    SessionLost,
    Text,
    ToolCall,
    TurnEnded,
    UsageReported,
)
from bigtask.core import observations as o
from bigtask.core.values import Report, Usage
from bigtask.errors import BigtaskError
from bigtask.host.briefing import Briefing
from bigtask.host.governor import Permit
from bigtask.host.transcript import Transcript
from bigtask.protocol.asking import ask_again, go_on, with_nonce
from bigtask.protocol.belief import Accepted, AskAgain, NeedsReview
from bigtask.protocol.response import Response
from bigtask.protocol.turn import TurnReading

MOST_REASKS = 3
_PROGRESS_EVERY_S = 1.0
_LAST_WORDS = 4_000
_USAGE_EVERY_S = 1.0


class ActiveTime:
    """The clock of an attempt: it stands still while the attempt waits for a person."""

    def __init__(self, limit_s: float) -> None:
        self._left_s = limit_s
        self._deadline: asyncio.Timeout | None = None

    def bound(self) -> asyncio.Timeout:
        """The context in which the clock runs; it raises TimeoutError at the end."""
        self._deadline = asyncio.timeout(self._left_s)
        return self._deadline

    def stand_still(self) -> None:
        when = self._deadline.when() if self._deadline is not None else None
        if self._deadline is not None and when is not None:
            self._left_s = when - asyncio.get_running_loop().time()
            self._deadline.reschedule(None)

    def go_on(self) -> None:
        if self._deadline is not None and self._deadline.when() is None:
            self._deadline.reschedule(asyncio.get_running_loop().time() + self._left_s)


class Controls:
    """How the rest of the program reaches an attempt that is under way."""

    def __init__(self, timeout_s: float) -> None:
        self.time = ActiveTime(timeout_s)
        self.session: Session | None = None
        self._interruption = asyncio.Event()

    @property
    def interrupted(self) -> bool:
        return self._interruption.is_set()

    async def wait_out(self, waiting: Coroutine[Any, Any, None]) -> None:
        """For what isn't the attempt's own time; an interruption ends it. Raises what `waiting` raises."""
        self.time.stand_still()
        work = asyncio.ensure_future(waiting)
        interruption = asyncio.ensure_future(self._interruption.wait())
        try:
            await asyncio.wait((work, interruption), return_when=asyncio.FIRST_COMPLETED)
            if work.done():
                work.result()
        finally:
            work.cancel()
            interruption.cancel()
            await asyncio.wait((work, interruption))
            self.time.go_on()

    async def interrupt(self) -> None:
        self._interruption.set()
        if self.session is not None:
            await self.session.interrupt()

    async def answer(self, request_id: str, answer: str) -> None:
        if self.session is not None:
            self.time.go_on()
            await self.session.answer(request_id, answer)

    async def say(self, text: str) -> None:
        if self.session is not None:
            await self.session.send(text)


class _Cut(msgspec.Struct, frozen=True):
    """The turn ended at a limit."""


class _Heard(msgspec.Struct):
    """What one attempt has used and said so far."""

    usage: Usage = Usage()
    tools: dict[str, int] = {}
    last_words: str = ""
    told: Usage = Usage()
    """What of `usage` has been noticed."""
    refused: bool = False
    """The account was limited in this turn."""

    def ended(self) -> dict[str, Any]:
        return {"usage": self.usage, "tools": dict(self.tools)}


class AttemptRun:
    def __init__(
        self,
        briefing: Briefing,
        agent: Agent,
        opening: Opening,
        transcript: Transcript,
        controls: Controls,
        notice: Callable[[o.Observation], None],
        *,
        permit: Permit,
        reasked: int = 0,
    ) -> None:
        """`permit` has begun; whoever gave it ends it. `reasked`: how often an earlier session of the
        attempt, which this one continues, was asked again."""
        self._permit = permit
        self._reasked = reasked
        self._briefing = briefing
        self._agent = agent
        self._opening = opening
        self._transcript = transcript
        self._controls = controls
        self._notice = notice
        used = opening.used or UsageReported()
        self._heard = _Heard(
            usage=Usage(
                input_tokens=used.input_tokens, output_tokens=used.output_tokens, cost_usd=used.cost_usd
            )
        )
        self._heard.told = self._heard.usage
        self._who: dict[str, Any] = {"task_id": briefing.task_id, "attempt": briefing.attempt}
        self._last_progress = float("-inf")
        self._usage_at = float("-inf")
        self._usage_due: asyncio.TimerHandle | None = None

    async def carry_out(self, *, branch: str | None, places: Mapping[str, str]) -> o.Ended:
        """The attempt's end. Cancelling it ends the session and everything that it started. `branch` and
        `places` are told when it is open."""
        try:
            async with self._controls.time.bound(), self._agent.session(self._opening) as session:
                self._controls.session = session
                self._notice(o.Opened(**self._who, session_id=session.id, branch=branch, places=places))
                return await self._converse(session)
        except TimeoutError:
            limit = self._briefing.timeout_ms / 1000
            return o.TimedOut(
                **self._who, **self._heard.ended(), reason=f"no result within {limit:g} s of active time"
            )
        except SessionLost as error:
            return o.Crashed(**self._who, **self._heard.ended(), reason=str(error))
        except BigtaskError as error:
            return o.Failed(**self._who, **self._heard.ended(), reason=str(error))
        finally:
            self._controls.session = None
            if self._usage_due is not None:
                self._usage_due.cancel()

    async def _converse(self, session: Session) -> o.Ended:
        """The same session is asked again with exactly what was wrong; then it is a person's turn."""
        briefing = self._briefing
        text = briefing.text
        while not self._controls.interrupted:
            answer = await self._turn(session, text)
            if isinstance(answer, _Cut):
                await self._controls.wait_out(self._wait_for_account())
                text = go_on(briefing.block, briefing.start_delimiter, briefing.end_delimiter)
                continue
            if not isinstance(answer, tuple):
                return answer
            if self._reasked >= MOST_REASKS:
                return self._unusable(answer)
            self._reasked += 1
            self._notice(o.Reasked(**self._who, number=self._reasked, errors=answer))
            text = ask_again(answer, briefing.block, briefing.start_delimiter, briefing.end_delimiter)
        return o.Interrupted(**self._who, **self._heard.ended())

    def _answers(self, event: SessionEvent) -> bool:
        """Whether the account has answered. What was used is also told of a request that was refused."""
        if isinstance(event, UsageReported):
            return event.input_tokens > self._heard.usage.input_tokens
        return isinstance(event, Text | ToolCall | Reported)

    async def _wait_for_account(self) -> None:
        await self._permit.enter(lambda held: None)
        self._notice(o.WentOn(**self._who))

    def _unusable(self, errors: tuple[str, ...]) -> o.Unusable:
        # Before it is cut: half of a secret looks like nothing.
        said = self._transcript.cleaned(self._heard.last_words)[-_LAST_WORDS:]
        return o.Unusable(**self._who, **self._heard.ended(), errors=errors, answer=said)

    async def _turn(self, session: Session, text: str) -> o.Ended | _Cut | tuple[str, ...]:
        """The attempt's end, what was wrong with the answer, or that there was no time for one."""
        nonce = os.urandom(8).hex()
        briefing = self._briefing
        reading = TurnReading(
            nonce=nonce,
            phase=briefing.block,
            task_id=briefing.task_id if briefing.block == "completion" else None,
            start_delimiter=briefing.start_delimiter,
            end_delimiter=briefing.end_delimiter,
        )
        whole = with_nonce(text, nonce)
        beginning = briefing.beginning if text is briefing.text else ""
        first = text is briefing.text
        self._transcript.write("prompt", text[len(beginning) :], after=beginning, clean=first)
        prompt = Prompt(
            text=whole,
            phase=briefing.phase,
            variables=briefing.variables,
            nonce=nonce,
            schema=briefing.schema,
        )
        self._heard.last_words, self._heard.refused = "", False
        end = TurnEnded()
        async for event in session.turn(prompt):
            if self._answers(event):
                self._permit.answered()
            match event:
                case Text():
                    self._heard.last_words = (self._heard.last_words + event.text)[-2 * _LAST_WORDS :]
                    self._transcript.write_piece("agent", event.text, event.message)
                    for block in reading.hear(event.text, event.message):
                        self._progress(block)
                case Reported():
                    self._write("report", json.dumps(event.data, ensure_ascii=False))
                    for block in reading.take(event.phase, event.data):
                        self._progress(block)
                case ToolCall():
                    kind = event.kind.value
                    self._heard.tools[kind] = self._heard.tools.get(kind, 0) + 1
                    self._write("tool", f"{event.name} {event.path or event.detail}")
                case PermissionAsked():
                    self._write("question", event.question)
                    self._controls.time.stand_still()
                    self._notice(
                        o.Asked(
                            **self._who,
                            request_id=event.request_id,
                            question=event.question,
                            options=tuple(event.options),
                        )
                    )
                case UsageReported():
                    self._heard.usage = Usage(
                        input_tokens=event.input_tokens,
                        output_tokens=event.output_tokens,
                        cost_usd=event.cost_usd,
                    )
                    self._tell_usage()
                case Limited():
                    self._heard.refused = True
                    self._permit.limited(event.kind, event.reset_s)
                    reset_ms = None if event.reset_s is None else int(event.reset_s * 1000)
                    self._notice(o.Limited(**self._who, kind=event.kind, reset_ms=reset_ms))
                case TurnEnded():
                    end = event
        return self._judge(reading, end)

    def _judge(self, reading: TurnReading, end: TurnEnded) -> o.Ended | _Cut | tuple[str, ...]:
        used = self._heard.ended()
        if end.reason == "limited":
            if not self._heard.refused:
                self._permit.limited("rate", None)
                self._notice(o.Limited(**self._who, kind="rate"))
            return _Cut()
        if end.reason == "interrupted":
            return o.Interrupted(**self._who, **used)
        if end.reason == "error":
            return o.Failed(**self._who, **used, reason=end.detail or "the agent reported an error")
        match reading.finish():
            case Accepted(response=response):
                data = response.data
                if self._briefing.block == "tasks":
                    # An id that holds a secret can't be one: the agent is told so, instead of the rules.
                    data = self._transcript.cleaned(data)
                wrong = self._briefing.problems(data)
                if wrong:
                    return wrong
                report = Report(
                    data=data,
                    quality=response.quality.value,
                    repairs=response.repairs,
                    warnings=response.warnings,
                )
                return o.Reported(**self._who, **used, report=report)
            case AskAgain(errors=errors):
                return errors
            case NeedsReview(reason=reason):
                return self._unusable((reason,))

    def _progress(self, block: Response) -> None:
        """At most once a second: watchers needn't know more, and each is an event."""
        now = asyncio.get_running_loop().time()
        if now - self._last_progress < _PROGRESS_EVERY_S:
            return
        self._last_progress = now
        data = block.data
        self._notice(
            o.Progressed(
                **self._who,
                percent=data.get("progress_percent"),
                action=str(data.get("current_action", "")),
                files_done=data.get("files_processed"),
                files_total=data.get("files_total"),
            )
        )

    def _tell_usage(self) -> None:
        """Soon after the first of several; the last is told by the attempt's end."""
        if self._usage_due is None:
            loop = asyncio.get_running_loop()
            wait_s = max(0.0, self._usage_at + _USAGE_EVERY_S - loop.time())
            self._usage_due = loop.call_later(wait_s, self._usage_is_due)

    def _usage_is_due(self) -> None:
        self._usage_due = None
        self._usage_at = asyncio.get_running_loop().time()
        if self._heard.usage != self._heard.told:
            self._heard.told = self._heard.usage
            self._notice(o.Used(**self._who, usage=self._heard.usage))

    def _write(self, who: str, text: str) -> None:
        self._transcript.write(who, text)
