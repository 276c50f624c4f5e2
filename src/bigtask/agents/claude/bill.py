"""What a session has used, from Claude Code's counts and from the model's answers as they come. Pure.

Claude Code counts at the end of each turn, over all models and sub-agents, with its own list of prices. It
goes on from where it was when it last ended in good order: what a killed one had used since then it has
forgotten. So the sum is kept here: what was known of the session before, and what this process has added.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from bigtask.agents.protocol import UsageReported

_CACHE_READ, _CACHE_5M, _CACHE_1H, _OUTPUT = 0.1, 1.25, 2.0, 5.0
"""What a token costs, in tokens of input: the same for all models."""
_PRICES: Mapping[str, float] = {"haiku": 0.5e-6, "sonnet": 2e-6, "opus": 4e-6, "fable": 8e-6}
_PRICE_UNKNOWN = 4e-6
"""US dollars for a token of input, as Claude Code 2.1 counts. Only until it has said itself what its model
costs, which is at the end of the first turn."""


@dataclass(frozen=True, kw_only=True)
class _Call:
    """One answer of the model, as far as it has got."""

    input_tokens: int
    input_units: float
    output_tokens: int
    price: float

    @property
    def cost_usd(self) -> float:
        return (self.input_units + _OUTPUT * self.output_tokens) * self.price


class Counted(Protocol):
    """What Claude Code tells of its count at the end of a turn."""

    @property
    def model_usage(self) -> dict[str, Any] | None: ...

    @property
    def total_cost_usd(self) -> float | None: ...


class Bill:
    """`before` is what was known of the session, `restored` what Claude Code goes on counting from."""

    def __init__(self, *, before: UsageReported, restored: UsageReported) -> None:
        self._before = before
        self._restored = restored
        self._counted = UsageReported()
        self._calls: list[_Call] = []
        self._prices: dict[str, float] = {}

    @property
    def total(self) -> UsageReported:
        return UsageReported(
            input_tokens=self._before.input_tokens
            + self._counted.input_tokens
            + sum(call.input_tokens for call in self._calls),
            output_tokens=self._before.output_tokens
            + self._counted.output_tokens
            + sum(call.output_tokens for call in self._calls),
            cost_usd=self._before.cost_usd
            + self._counted.cost_usd
            + sum(call.cost_usd for call in self._calls),
        )

    def hear(self, event: Mapping[str, Any]) -> UsageReported | None:
        """The total where an event of the model's stream changes it, at costs of ours till the turn ends."""
        match event:
            case {"type": "message_start", "message": {"model": str(model), "usage": dict(usage)}}:
                self._calls.append(self._begun(model, usage))
                return self.total
            case {"type": "message_delta", "usage": {"output_tokens": int(tokens)}} if self._calls:
                last = self._calls[-1]
                self._calls[-1] = _Call(
                    input_tokens=last.input_tokens,
                    input_units=last.input_units,
                    output_tokens=tokens,
                    price=last.price,
                )
                return self.total
            case _:
                return None

    def close_turn(self, result: Counted) -> UsageReported:
        """The total by Claude Code's own count, which replaces ours."""
        counted = counted_by(result.model_usage or {}, result.total_cost_usd)
        self._counted = UsageReported(
            input_tokens=max(0, counted.input_tokens - self._restored.input_tokens),
            output_tokens=max(0, counted.output_tokens - self._restored.output_tokens),
            cost_usd=max(0.0, counted.cost_usd - self._restored.cost_usd),
        )
        self._calls.clear()
        for model, usage in (result.model_usage or {}).items():
            cost, units = usage.get("costUSD"), _units(usage)
            if isinstance(cost, int | float) and units:
                self._prices[model] = cost / units
        return self.total

    def _begun(self, model: str, usage: Mapping[str, Any]) -> _Call:
        fresh, read = _number(usage, "input_tokens"), _number(usage, "cache_read_input_tokens")
        written = _number(usage, "cache_creation_input_tokens")
        kinds = usage.get("cache_creation")
        for_an_hour = _number(kinds, "ephemeral_1h_input_tokens") if isinstance(kinds, Mapping) else 0
        return _Call(
            input_tokens=fresh + read + written,
            input_units=fresh
            + _CACHE_READ * read
            + _CACHE_5M * (written - for_an_hour)
            + _CACHE_1H * for_an_hour,
            output_tokens=_number(usage, "output_tokens"),
            price=self._price(model),
        )

    def _price(self, model: str) -> float:
        known = self._prices.get(model)
        if known is not None:
            return known
        return next((price for name, price in _PRICES.items() if name in model), _PRICE_UNKNOWN)


def counted_by(models: Mapping[str, Mapping[str, Any]], cost_usd: float | None) -> UsageReported:
    """Claude Code's count by model, in all. Input holds what was written to and read from the cache."""
    fields = ("inputTokens", "cacheReadInputTokens", "cacheCreationInputTokens")
    return UsageReported(
        input_tokens=sum(_number(model, field) for model in models.values() for field in fields),
        output_tokens=sum(_number(model, "outputTokens") for model in models.values()),
        cost_usd=cost_usd or 0.0,
    )


def _units(usage: Mapping[str, Any]) -> float:
    written = _number(usage, "cacheCreationInputTokens")
    for_an_hour = _number(usage, "cacheCreationEphemeral1hInputTokens")
    return (
        _number(usage, "inputTokens")
        + _CACHE_READ * _number(usage, "cacheReadInputTokens")
        + _CACHE_5M * (written - for_an_hour)
        + _CACHE_1H * for_an_hour
        + _OUTPUT * _number(usage, "outputTokens")
    )


def _number(values: Mapping[str, Any], name: str) -> int:
    found = values.get(name)
    return found if isinstance(found, int) else 0
