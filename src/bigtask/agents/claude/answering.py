"""How a session's answer comes: by the CLI's schema tool, or for work by a tool of ours. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bigtask.agents.protocol import Prompt
from bigtask.protocol.fields import ANSWERS, schema

SERVER = "bigtask"
"""The name of our tools' server; Claude Code calls its tools `mcp__bigtask__NAME`."""
COMPLETION = f"mcp__{SERVER}__report_completion"
PROGRESS = f"mcp__{SERVER}__report_progress"
PERSON = f"mcp__{SERVER}__ask_person"
BY_SCHEMA = "StructuredOutput"
_WORK = "workerExecution"


@dataclass(frozen=True, kw_only=True)
class Answering:
    """`block` is the protocol phase of the answer, `schema` what a tool that takes it has to declare."""

    block: str
    by_schema: bool
    schema: Mapping[str, Any]

    @property
    def tool(self) -> str:
        return BY_SCHEMA if self.by_schema else COMPLETION

    def report_of(self, tool: str) -> str | None:
        """The protocol phase of what is reported by this tool, None for any other tool."""
        return {self.tool: self.block, PROGRESS: "progress"}.get(tool)


def answering_to(prompt: Prompt) -> Answering:
    block = ANSWERS[prompt.phase]
    return Answering(
        block=block,
        by_schema=prompt.phase != _WORK,
        schema=declared(prompt.schema if prompt.schema is not None else schema(block)),
    )


def declared(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The schema as the Messages API takes it for a tool: without conditions at its top level. What they
    demand is still checked when the answer is read."""
    return {key: value for key, value in schema.items() if key not in ("allOf", "anyOf", "oneOf")}
