"""What Claude Code goes on counting from when it resumes a conversation: the last count that it wrote there.

It writes one when it ends in good order, as a line `cost-state` of the conversation's file. The format is its
own and not promised to anybody. Where it can't be read, nothing is assumed, and the bill is rather too high.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from bigtask.agents.claude.bill import counted_by
from bigtask.agents.protocol import UsageReported


class _Line(msgspec.Struct):
    type: str
    totalCostUSD: float = 0.0  # noqa: N815 - the name in the file
    modelUsage: dict[str, dict[str, Any]] = {}  # noqa: N815 - ditto


def conversations(env: Mapping[str, str], session_id: str) -> list[Path]:
    """The files that Claude Code keeps of a session. `env` is its own, which says where they are."""
    chosen = env.get("CLAUDE_CONFIG_DIR")
    folder = Path(chosen) if chosen else Path(env.get("HOME", "/")) / ".claude"
    return sorted(folder.glob(f"projects/*/{session_id}.jsonl"))


def kept_count(env: Mapping[str, str], session_id: str) -> UsageReported:
    """Blocks while it reads the file."""
    found = UsageReported()
    for path in conversations(env, session_id):
        try:
            with path.open("rb") as file:
                counts = [line for line in file if line.startswith(b'{"type":"cost-state"')]
            if counts:
                last = msgspec.json.decode(counts[-1], type=_Line)
                found = counted_by(last.modelUsage, last.totalCostUSD)
        except (OSError, ValueError):
            continue
    return found
