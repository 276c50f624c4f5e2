"""One attempt, from opening its session to its last word. The same code under every host.

It talks with the agent, streams what it says into the transcript, reads the protocol, asks again when the
answer isn't usable, and returns one final observation. It records nothing and knows no log: whatever it
notices on the way goes to `notice`.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable, Mapping
from types import MappingProxyType
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
from bigtask.core.gate import Held
from bigtask.core.values import Report, Usage
from bigtask.errors import AgentUnavailable, BigtaskError
from bigtask.host.attempt_clock import Due
from bigtask.host.briefing import Briefing
from bigtask.host.controls import Controls
from bigtask.host.governor import Permit
from bigtask.host.overseer import Overseer
from bigtask.host.transcript import Transcript
from bigtask.process import ProgramNotFound
from bigtask.protocol.asking import ask_again, go_on, nudge, time_is_up, with_nonce
from bigtask.protocol.belief import Accepted, AskAgain, NeedsReview
from bigtask.protocol.response import Response
from bigtask.protocol.turn import TurnReading

MOST_REASKS = 3
_PROGRESS_EVERY_S = 1.0
_LAST_WORDS = 4_000
_USAGE_EVERY_S = 1.0


class _Cut(msgspec.Struct, frozen=True):
    """The turn ended at a limit."""


class _Broken(msgspec.Struct, frozen=True):
    """We have ended the turn, and the session goes on in another one."""


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
        stall_after_s: float,
        reasked: int = 0,
        time_up: bool = False,
        tools: Mapping[str, int] = MappingProxyType({}),
    ) -> None:
        """`permit` has begun; whoever gave it ends it. `reasked`: how often an earlier session of the
        attempt, which this one continues, was asked again; `time_up`: that it is only to report."""
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
            ),
            tools=dict(tools),
        )
        self._heard.told = self._heard.usage
        self._who: dict[str, Any] = {"task_id": briefing.task_id, "attempt": briefing.attempt}
        self._last_progress = float("-inf")
        self._usage_at = float("-inf")
        self._usage_due: asyncio.TimerHandle | None = None
        self._session_id = opening.resume
        self._stall_after_s = stall_after_s
        self._overseer = Overseer(
            controls,
            agent.traits,
            notice,
            self._who,
            limit_s=briefing.timeout_ms / 1000,
            stall_after_s=stall_after_s,
            time_up=time_up,
        )

    async def carry_out(self, *, branch: str | None, places: Mapping[str, str]) -> o.Ended:
        """The attempt's end. Cancelling it ends the session and everything that it started. `branch` and
        `places` are told when it is open."""
        opening = self._opening
        try:
            async with self._overseer.at_work():
                while (ended := await self._in_session(opening, branch, places)) is None:
                    if self._controls.interrupted:
                        return o.Interrupted(**self._who, **self._heard.ended())
                    opening = self._continued(opening)
                return ended
        except SessionLost as error:
            return o.Crashed(**self._who, **self._heard.ended(), reason=str(error))
        except (AgentUnavailable, ProgramNotFound) as error:
            return o.Unavailable(**self._who, **self._heard.ended(), reason=str(error))
        except BigtaskError as error:
            return o.Failed(**self._who, **self._heard.ended(), reason=str(error))
        finally:
            if self._usage_due is not None:
                self._usage_due.cancel()

    async def _in_session(
        self, opening: Opening, branch: str | None, places: Mapping[str, str]
    ) -> o.Ended | None:
        """None where the session's processes were ended and it is to be continued by others."""
        try:
            async with self._overseer.bound(), self._agent.session(opening) as session:
                self._controls.session = session
                self._notice(o.Opened(**self._who, session_id=session.id, branch=branch, places=places))
                return await self._converse(session)
        except TimeoutError:
            if self._overseer.continues:
                return None
            if not self._overseer.overdue:
                raise
            return o.TimedOut(**self._who, **self._heard.ended(), reason=self._overseer.overdue)
        finally:
            self._controls.session = None

    def _continued(self, opening: Opening) -> Opening:
        """The opening with which the same session is opened again: with what it has used and may still
        spend."""
        usage = self._heard.usage
        before = opening.used.cost_usd if opening.used is not None else 0.0
        left = opening.budget_usd
        return msgspec.structs.replace(
            opening,
            resume=self._session_id,
            used=UsageReported(
                input_tokens=usage.input_tokens, output_tokens=usage.output_tokens, cost_usd=usage.cost_usd
            ),
            budget_usd=None if left is None else max(0.0, left - (usage.cost_usd - before)),
        )

    async def _converse(self, session: Session) -> o.Ended:
        """Turn after turn until the session has answered. After an answer that can't be used the same session
        is asked again with exactly what was wrong; when that doesn't help, it is a person's turn."""
        briefing = self._briefing
        form = briefing.block, briefing.start_delimiter, briefing.end_delimiter
        self._session_id = session.id
        text = time_is_up(*form) if self._overseer.time_up else briefing.text
        while not self._controls.interrupted:
            if not self._permit.passes():
                await self._controls.wait_out(self._wait_for_account())
                continue
            answer = await self._turn(session, text)
            due = self._overseer.take_due()
            if isinstance(answer, _Cut):
                await self._controls.wait_out(self._wait_for_account())
                text = time_is_up(*form) if self._overseer.time_up else go_on(*form)
            elif not isinstance(answer, _Broken | tuple):
                return answer
            elif due is Due.TIME:
                text = time_is_up(*form)
            elif isinstance(answer, _Broken):
                text = nudge(self._stall_after_s, *form)
            elif self._reasked >= MOST_REASKS:
                return self._unusable(answer)
            else:
                self._reasked += 1
                self._notice(o.Reasked(**self._who, number=self._reasked, errors=answer))
                text = ask_again(answer, *form)
        return o.Interrupted(**self._who, **self._heard.ended())

    def _answers(self, event: SessionEvent) -> bool:
        """Whether the account has answered. What was used is also told of a request that was refused."""
        if isinstance(event, UsageReported):
            return event.input_tokens > self._heard.usage.input_tokens
        return isinstance(event, Text | ToolCall | Reported)

    async def _wait_for_account(self) -> None:
        await self._permit.enter(self._tell_held)
        self._notice(o.WentOn(**self._who))

    def _tell_held(self, held: Held) -> None:
        self._notice(o.held_up(held, self._permit.left_ms(held), **self._who))

    def _unusable(self, errors: tuple[str, ...]) -> o.Unusable:
        # Cleaned before it is cut: half of a secret wouldn't be recognised.
        said = self._transcript.cleaned(self._heard.last_words)[-_LAST_WORDS:]
        return o.Unusable(**self._who, **self._heard.ended(), errors=errors, answer=said)

    async def _turn(self, session: Session, text: str) -> o.Ended | _Cut | _Broken | tuple[str, ...]:
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
        with self._overseer.turn():
            end = await self._listen(session, prompt, reading)
        return self._judge(reading, end)

    async def _listen(self, session: Session, prompt: Prompt, reading: TurnReading) -> TurnEnded:
        end = TurnEnded()
        async for event in session.turn(prompt):
            answers = self._answers(event)
            self._overseer.hear(event, answers=answers)
            if answers:
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
                    self._notice(
                        o.Asked(
                            **self._who,
                            request_id=event.request_id,
                            question=event.question,
                            options=tuple(event.options),
                            tool=event.tool,
                            subject=event.subject,
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
                    self._limited(event.kind, event.reset_s)
                case TurnEnded():
                    end = event
        return end

    def _limited(self, kind: str, reset_s: float | None) -> None:
        reset_ms = self._permit.limited(kind, reset_s)
        self._notice(o.Limited(**self._who, kind=kind, reset_ms=reset_ms))

    def _judge(self, reading: TurnReading, end: TurnEnded) -> o.Ended | _Cut | _Broken | tuple[str, ...]:
        used = self._heard.ended()
        if end.reason == "limited":
            if not self._heard.refused:
                self._limited("rate", None)
            return _Cut()
        if end.reason == "interrupted":
            if self._overseer.due is not None and not self._controls.interrupted:
                return _Broken()
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
            self._notice(o.Used(**self._who, **self._heard.ended()))

    def _write(self, who: str, text: str) -> None:
        self._transcript.write(who, text)
