"""What a run may still spend: its cap, what was used of it, and what tasks under way have reserved."""

from __future__ import annotations

from bigtask.core.estimate import USD_PER_MILLION_TOKENS
from bigtask.core.run import Run
from bigtask.core.states import TaskState
from bigtask.core.values import Usage, Value


class Amount(Value):
    cost_usd: float = 0.0
    tokens: int = 0

    def __add__(self, other: Amount) -> Amount:
        return Amount(cost_usd=self.cost_usd + other.cost_usd, tokens=self.tokens + other.tokens)

    def beyond(self, other: Amount) -> Amount:
        """What is left of this amount after `other` is taken from it, never less than nothing."""
        return Amount(
            cost_usd=max(0.0, self.cost_usd - other.cost_usd), tokens=max(0, self.tokens - other.tokens)
        )


class Cap(Value):
    """None for no bound."""

    cost_usd: float | None = None
    tokens: int | None = None

    @property
    def bounds(self) -> bool:
        return self.cost_usd is not None or self.tokens is not None

    def holds(self, amount: Amount) -> bool:
        """Whether that much may be spent."""
        cost, tokens = self.cost_usd, self.tokens
        return (cost is None or amount.cost_usd <= cost) and (tokens is None or amount.tokens <= tokens)

    def reached(self, amount: Amount, share: float = 1.0) -> bool:
        """Whether that is all of it, or that share of it."""
        cost, tokens = self.cost_usd, self.tokens
        return (cost is not None and amount.cost_usd >= share * cost) or (
            tokens is not None and amount.tokens >= share * tokens
        )


def cap_of(run: Run) -> Cap:
    """What the person has set, or raised it to."""
    return Cap(
        cost_usd=run.settings.max_budget_usd if run.cap_usd is None else run.cap_usd,
        tokens=run.settings.max_tokens if run.cap_tokens is None else run.cap_tokens,
    )


def spent(usage: Usage) -> Amount:
    return Amount(cost_usd=usage.cost_usd, tokens=usage.input_tokens + usage.output_tokens)


def price(run: Run) -> float | None:
    """US dollars for a token, as far as the run has seen; None until then."""
    seen = spent(run.used)
    return seen.cost_usd / seen.tokens if seen.tokens and seen.cost_usd else None


def unpriced(run: Run) -> bool:
    """Whether its agents cost money and tell tokens alone: what they cost is then only assumed."""
    return run.settings.costs_money and price(run) is None and spent(run.used).tokens > 0


def used(run: Run) -> Amount:
    """What the run has used so far."""
    return _priced(run, spent(run.used))


def _priced(run: Run, amount: Amount) -> Amount:
    if not unpriced(run):
        return amount
    return Amount(cost_usd=amount.tokens * USD_PER_MILLION_TOKENS / 1e6, tokens=amount.tokens)


def reservation(run: Run, task_id: str) -> Amount:
    """What an attempt at the task is expected to use: by the plan's estimate, else as much as the tasks
    that are done took on average. Nothing where neither is known, and for a phase of the run."""
    record = run.tasks.get(task_id)
    if record is None:
        return Amount()
    tokens = record.task.estimated_tokens
    if tokens is None:
        tokens = _average_tokens(run)
    known = price(run)
    if known is None:
        known = USD_PER_MILLION_TOKENS / 1e6 if run.settings.costs_money else 0.0
    return Amount(cost_usd=tokens * known, tokens=tokens)


def _average_tokens(run: Run) -> int:
    """Of tasks that are done, with all that it took to get there."""
    done = run.counts[TaskState.COMPLETED] + run.counts[TaskState.PARTIAL]
    under_way = (attempt.usage for id in run.live if (attempt := run.live_attempt(id)) is not None)
    ended = spent(run.used).tokens - sum(spent(usage).tokens for usage in under_way)
    return ended // done if done else 0


def outstanding(run: Run, *, without: str = "") -> Amount:
    """What attempts under way have reserved and not used yet, but for the task `without`."""
    amount = Amount()
    for id in run.live:
        attempt = run.live_attempt(id)
        if id != without and attempt is not None:
            amount = amount + reservation(run, id).beyond(_priced(run, spent(attempt.usage)))
    return amount


def fits(run: Run, task_id: str) -> bool:
    """Whether an attempt at the task may begin beside what is used and reserved."""
    cap = cap_of(run)
    taken = used(run) + outstanding(run)
    return not cap.reached(taken) and cap.holds(taken + reservation(run, task_id))


def left_usd(run: Run, task_id: str) -> float | None:
    """What a session of the task may spend from here on; None for no bound."""
    cap = cap_of(run).cost_usd
    if cap is None or lifted(run):
        return None
    return max(0.0, cap - used(run).cost_usd - outstanding(run, without=task_id).cost_usd)


SUBJECT = "budget"
CONTINUE, RAISE, FINISH = "continue", "raise", "finish"
"""What a person may say at the cap, beside stopping. `continue` is how older runs were asked: without one."""


def lifted(run: Run) -> bool:
    """Whether what is under way is bound by no cap any more."""
    return run.answers.get(SUBJECT) in (CONTINUE, FINISH)
