"""The real Claude Code against the stub: nothing of the machine's own settings, accounts or network."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from bigtask.agents.claude.agent import ClaudeAgent
from bigtask.agents.claude.installation import HOW_TO_INSTALL, installation
from bigtask.agents.protocol import Opening, Prompt, SessionEvent
from bigtask.process import minimal_env
from claude.stub import Script, Stub, stubbed

KEY = "made-up-key"
PROMPT = Prompt(text="Do it.", phase="workerExecution", variables={"TASK_ID": "t1"}, nonce="n1")


def needs_claude() -> None:
    """Skips the test where the extra isn't installed; in CI that is a failure."""
    if installation() is None:
        assert not os.environ.get("CI"), f"CI runs this with the extra: {HOW_TO_INSTALL}"
        pytest.skip(f"Claude Code isn't installed: {HOW_TO_INSTALL}")


@dataclass(frozen=True, kw_only=True)
class Setting:
    stub: Stub
    folder: Path
    environ: dict[str, str] = field(default_factory=dict)

    @property
    def cwd(self) -> Path:
        return self.folder / "work"

    def agent(self) -> ClaudeAgent:
        return ClaudeAgent(self.environ)

    def opening(
        self, *, permission_mode: str = "acceptEdits", resume: str | None = None, read_only: bool = False
    ) -> Opening:
        return Opening(
            name="local___orch_1_worker_t1",
            cwd=self.cwd,
            env=minimal_env({"HOME": str(self.folder), "TMPDIR": str(self.folder / "tmp")}),
            permission_mode=permission_mode,
            read_only=read_only,
            resume=resume,
        )


@contextmanager
def setting(script: Script) -> Iterator[Setting]:
    """Whatever Claude Code wants to reach beside the stub goes to the stub as its proxy, and is refused."""
    # Short: Claude Code makes a socket in it, whose path has to fit into 108 bytes.
    folder = Path(tempfile.mkdtemp(prefix="bigtask-claude-"))
    try:
        (folder / "work").mkdir()
        (folder / "tmp").mkdir()
        with stubbed(script) as stub:
            environ = {
                "ANTHROPIC_API_KEY": KEY,
                "ANTHROPIC_BASE_URL": stub.url,
                "CLAUDE_CONFIG_DIR": str(folder / "config"),
                "HTTPS_PROXY": stub.url,
                "HTTP_PROXY": stub.url,
                "NO_PROXY": "127.0.0.1",
            }
            yield Setting(stub=stub, folder=folder, environ=environ)
            assert stub.refused == []
    finally:
        shutil.rmtree(folder)


async def turn_of(
    agent: ClaudeAgent, opening: Opening, *prompts: Prompt, timeout_s: float = 60
) -> list[SessionEvent]:
    """The events of all the prompts' turns in one session."""
    async with asyncio.timeout(timeout_s), agent.session(opening) as session:
        return [event for prompt in prompts or (PROMPT,) async for event in session.turn(prompt)]


def of(kind: type[SessionEvent], events: Sequence[SessionEvent]) -> list[SessionEvent]:
    return [event for event in events if isinstance(event, kind)]
