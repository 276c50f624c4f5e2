"""How well agents keep to the form that they were asked for: their answers counted by what each took."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bigtask.core.run import Attempt, Run
from bigtask.core.values import Value

KINDS = ("strict", "repaired", "reasked", "failed")


class Answers(Value, omit_defaults=False):
    """Each answer counts once, by the last thing that had to be done about it: it was read as it came
    (`strict`), mended (`repaired`), or asked for again until it could be read (`reasked`); or a person had to
    see to it (`failed`)."""

    strict: int = 0
    repaired: int = 0
    reasked: int = 0
    failed: int = 0

    @property
    def total(self) -> int:
        return self.strict + self.repaired + self.reasked + self.failed

    def __add__(self, other: Answers) -> Answers:
        return Answers(**{kind: getattr(self, kind) + getattr(other, kind) for kind in KINDS})


def answers(run: Run) -> dict[str, Answers]:
    """How each agent, by its name, answered in all attempts of tasks and phases. An attempt that ended
    without a word (it crashed, ran out of time, was cancelled) isn't counted, and an agent without any answer
    has no entry."""
    found: dict[str, Answers] = {}
    for record in run.all_records():
        for attempt in record.attempts:
            kind = _kind(attempt)
            if kind is not None:
                one = Answers(**{kind: 1})
                found[attempt.agent] = found.get(attempt.agent, Answers()) + one
    return found


def _kind(attempt: Attempt) -> str | None:
    if attempt.unusable:
        return "failed"
    if attempt.report is None:
        return None
    if attempt.reasked:
        return "reasked"
    return attempt.report.quality


def added(some: Mapping[str, Answers], more: Mapping[str, Answers]) -> dict[str, Answers]:
    return {
        name: some.get(name, Answers()) + more.get(name, Answers()) for name in dict.fromkeys((*some, *more))
    }


def shares(counts: Answers) -> dict[str, Any]:
    """`total`, and for each kind its count and its share from 0 to 1, to three places."""
    total = counts.total
    return {
        "total": total,
        **{kind: getattr(counts, kind) for kind in KINDS},
        "shares": {kind: round(getattr(counts, kind) / total, 3) if total else 0.0 for kind in KINDS},
    }
