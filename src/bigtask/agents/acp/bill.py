"""What a session has used, from what agents tell in three different senses. Pure."""

from __future__ import annotations

from typing import Protocol

from bigtask.agents.protocol import UsageReported
from bigtask.configuration.agent_definitions import AcpDefinition


class Tokens(Protocol):
    input_tokens: int
    output_tokens: int
    cached_read_tokens: int | None
    cached_write_tokens: int | None
    thought_tokens: int | None


class Bill:
    """`before` is what earlier processes of the session had used. It never becomes less."""

    def __init__(self, definition: AcpDefinition, before: UsageReported) -> None:
        self._usage = definition.usage
        self._cost = definition.cost
        self._before = before
        self._taken, self._given = before.input_tokens, before.output_tokens
        self._cost_usd = before.cost_usd

    @property
    def total(self) -> UsageReported:
        return UsageReported(input_tokens=self._taken, output_tokens=self._given, cost_usd=self._cost_usd)

    def turn(self, tokens: Tokens) -> UsageReported:
        """At the end of a turn. What the agent tells of the last call alone is the least that was used."""
        cached = (tokens.cached_read_tokens or 0) + (tokens.cached_write_tokens or 0)
        taken, given = tokens.input_tokens + cached, tokens.output_tokens + (tokens.thought_tokens or 0)
        match self._usage:
            case "turn" | "last":
                self._taken += taken
                self._given += given
            case "session":
                self._taken = max(self._taken, self._before.input_tokens + taken)
                self._given = max(self._given, self._before.output_tokens + given)
        return self.total

    def cost(self, amount: float, currency: str) -> UsageReported:
        if self._cost == "session" and currency.upper() == "USD":
            self._cost_usd = max(self._cost_usd, self._before.cost_usd + amount)
        return self.total
