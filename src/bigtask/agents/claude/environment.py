"""The environment of Claude Code: what the session was opened with, the account's way in, and these. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from bigtask.agents.protocol import Opening

_OURS: Mapping[str, str] = {
    # Without them each session calls home three times before its first request.
    "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
    "DISABLE_AUTOUPDATER": "1",
    "DISABLE_ERROR_REPORTING": "1",
    "DISABLE_TELEMETRY": "1",
    # A command that runs into its time limit would go on in the background, and answer in a turn that
    # nobody asked for.
    "CLAUDE_CODE_DISABLE_BACKGROUND_TASKS": "1",
    # A stream that stops in the middle is begun anew after two minutes; by default nobody notices.
    "CLAUDE_ENABLE_BYTE_WATCHDOG": "1",
    "CLAUDE_BYTE_STREAM_IDLE_TIMEOUT_MS": "120000",
}


def environment(opening: Opening, handed_on: Mapping[str, str], *, sdk: str) -> dict[str, str]:
    """The whole of it, since what the SDK starts by itself inherits everything that we have."""
    return {
        **opening.env,
        **handed_on,
        **_OURS,
        "CLAUDE_CODE_ENTRYPOINT": "sdk-py",
        "CLAUDE_AGENT_SDK_VERSION": sdk,
        "PWD": str(opening.cwd),
    }
