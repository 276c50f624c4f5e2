"""What becomes of a question that nobody answers: it waits, or after a time it is answered by a policy.

A policy only ever takes the careful way: it may say no, go on without, or stop, but it allows nothing,
confirms nothing and spends nothing. A run that asks nobody (`ci`) has such a policy for everything that can
be settled without a person, and doesn't wait first.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import msgspec

from bigtask.core import commands
from bigtask.core.events import Happened
from bigtask.core.phases.intake import STOP, WITHOUT
from bigtask.core.run import Run
from bigtask.core.states import WaitingKind
from bigtask.core.values import Waiting

WAIT = "wait"
BY = "policy"
"""Who has answered, where the policy did."""
NONE_OF_THESE = "none of these"
"""To a question of an agent: it decides by itself and says what it assumed."""

ANSWERS: Mapping[WaitingKind, tuple[str, ...]] = {
    WaitingKind.PLAN: ("cancel",),
    WaitingKind.PERMISSION: ("deny",),
    WaitingKind.QUESTION: (NONE_OF_THESE, WITHOUT, STOP),
    WaitingKind.CONFLICT: ("skip",),
    WaitingKind.BUDGET: (STOP,),
    WaitingKind.ANSWER: ("skip", "fail"),
    WaitingKind.TRUST: (WITHOUT, STOP),
    WaitingKind.LIMIT: (STOP,),
}
"""By kind, what a policy may answer. Where a question doesn't take that, it waits."""
_AT_ONCE: Mapping[WaitingKind, str] = {
    WaitingKind.PERMISSION: "deny",
    WaitingKind.QUESTION: NONE_OF_THESE,
    WaitingKind.TRUST: WITHOUT,
}
"""What is said in a run that asks nobody. What only a person can settle waits, and the run with it."""

_POLICY = re.compile(r"(.+) after (\d{1,6}) ?(s|m|h|d)\Z")
_UNITS = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}


class NoPolicy(ValueError):
    """A sentence about what can't be a policy."""


@dataclass(frozen=True, slots=True)
class Policy:
    answer: str
    after_ms: int


def read(given: Mapping[str, object]) -> dict[str, str]:
    """`{"permission": "deny after 30m"}` by kind, without those that only wait. Raises NoPolicy."""
    found = {}
    for name, text in given.items():
        kind = next((kind for kind in WaitingKind if kind == name), None)
        if kind is None:
            raise NoPolicy(f"{name[:60]!r} is none of the kinds {', '.join(WaitingKind)}")
        if text == WAIT:
            continue
        if not isinstance(text, str) or (policy := parse(text)) is None or policy.answer not in ANSWERS[kind]:
            ways = " or ".join(f'"{answer} after 30m"' for answer in ANSWERS[kind])
            raise NoPolicy(f'{kind} takes "wait" or {ways}, not {str(text)[:60]!r}')
        found[str(kind)] = text
    return found


@lru_cache(maxsize=64)
def parse(text: str) -> Policy | None:
    """What `deny after 30m` says; None for another text."""
    said = _POLICY.match(text)
    return Policy(said[1], int(said[2]) * _UNITS[said[3]]) if said is not None else None


def policy_of(run: Run, waiting: Waiting) -> Policy | None:
    """What becomes of it without a person; None where it waits for one."""
    policy = parse(run.settings.unanswered.get(waiting.kind, WAIT))
    if run.asks_nobody:
        answer = policy.answer if policy is not None else _AT_ONCE.get(waiting.kind, "")
        policy = Policy(answer, 0)
    return policy if policy is not None and policy.answer in waiting.options else None


def expiring(run: Run, waiting: Waiting, at: int) -> int | None:
    """When the policy answers, in ms since the epoch, for what has been waiting since `at`."""
    policy = policy_of(run, waiting)
    return None if policy is None else at + policy.after_ms


def settles_at_once(run: Run, waiting: Waiting) -> bool:
    """Whether it waits for nobody, since the run asks nobody."""
    return run.asks_nobody and policy_of(run, waiting) is not None


def wakes_at(run: Run) -> int | None:
    return min((w.expires_at for w in run.waiting.values() if w.expires_at is not None), default=None)


def answered(run: Run, now: int) -> tuple[Happened, ...]:
    """The answer to what has waited longest of all that is due."""
    due = [w for w in run.waiting.values() if w.expires_at is not None and w.expires_at <= now]
    if not due:
        return ()
    waiting = min(due, key=lambda each: each.expires_at or 0)
    policy = policy_of(run, waiting)
    assert policy is not None
    said, *more = commands.obey(run, commands.Answer(waiting_id=waiting.id, answer=policy.answer, by=BY))
    why = "--ci" if run.asks_nobody else "its time-out"
    return (msgspec.structs.replace(said, rule=why), *more)
