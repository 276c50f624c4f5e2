"""The agents `command` and `acp` on the in-tree programs, as the suite and whole runs use them."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from bigtask.agents.acp.agent import AcpAgent
from bigtask.agents.command.agent import CommandAgent
from bigtask.agents.protocol import Agent
from bigtask.configuration.agent_definitions import AcpDefinition, CommandDefinition, definition

Maker = Callable[[Mapping[str, Any], Path], Agent]
HERE = Path(__file__).parent
COMMAND_FIELDS = {
    "text": {"path": "text", "when": {"type": "said", "by": "me"}},
    "message": "number",
    "session": "session",
    "inputTokens": "tokens.in",
    "outputTokens": "tokens.out",
    "cost": "usd",
    "error": "error",
    "final": {"when": {"type": "done"}},
}


def command_definition(script: Path, **more: Any) -> dict[str, Any]:
    program = [sys.executable, str(HERE / "command_program.py"), str(script), "{session}"]
    return {
        "kind": "command",
        "argv": [*program, "{permissions}"],
        "resume": [*program, "--continue", "{permissions}"],
        "permissions": {"readOnly": ["--read-only"]},
        "input": "json",
        "output": "jsonl",
        "fields": COMMAND_FIELDS,
        "sessionMib": 0,
        **more,
    }


def needs_acp() -> None:
    """Skips the test where the extra isn't installed; in CI that is a failure."""
    if find_spec("acp") is None:
        assert not os.environ.get("CI"), "CI runs this with the extra: tools/setup agents"
        pytest.skip("the SDK of the Agent Client Protocol isn't installed: tools/setup agents")


def acp_definition(script: Path, **more: Any) -> dict[str, Any]:
    needs_acp()
    return {
        "kind": "acp",
        "argv": [sys.executable, str(HERE / "acp_program.py"), str(script)],
        "usage": "turn",
        "cost": "session",
        "modes": {"readOnly": "looking"},
        "costsMoney": False,
        "sessionMib": 0,
        **more,
    }


def command_agent(script: Mapping[str, Any], folder: Path) -> CommandAgent:
    made = definition("mine", command_definition(_written(script, folder)))
    assert isinstance(made, CommandDefinition)
    return CommandAgent("mine", made, os.environ)


def acp_agent(script: Mapping[str, Any], folder: Path) -> AcpAgent:
    made = definition("acting", acp_definition(_written(script, folder)))
    assert isinstance(made, AcpDefinition)
    return AcpAgent("acting", made, os.environ)


@contextmanager
def showing(make: Maker, steps: Mapping[str, Sequence[Any]], behaviour: str) -> Iterator[Agent]:
    """An agent that shows a behaviour of the suite, by the steps of a script."""
    turns: list[Any] = [{"steps": steps[behaviour]}] if behaviour in steps else []
    if behaviour in ("dies", "exits"):
        turns = [{"when": {"turn": 1}, "steps": steps[behaviour]}]
    if behaviour == "waits for a message":
        # What is said in the middle of a turn is a prompt of its own there.
        says, *rest = steps[behaviour]
        turns = [{"when": {"turn": 1}, "steps": [says]}, {"when": {"turn": 2}, "steps": rest}]
    with TemporaryDirectory(prefix="bigtask-agents-") as folder:
        yield make({"turns": turns}, Path(folder))


def _written(script: Mapping[str, Any], folder: Path) -> Path:
    path = folder / "script.json"
    path.write_text(json.dumps(script))
    return path
