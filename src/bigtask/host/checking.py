"""Commands that judge work, run by bigtask itself: contained, bounded in time and output, one by one."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from bigtask.core.values import CheckResult
from bigtask.errors import BigtaskError
from bigtask.process import minimal_env, run
from bigtask.sink import Redact
from bigtask.workspaces.values import Workspace

TIMEOUT_S = 600.0
_KEPT = 8 * 1024
_LOOKED_AT = 4 * _KEPT
"""Bytes of each output that are redacted before they are cut, so that no half of a secret stays."""


async def check(
    commands: Sequence[tuple[str, ...]], workspace: Workspace, redact: Redact, *, timeout_s: float = TIMEOUT_S
) -> tuple[CheckResult, ...]:
    """One result a command, in their order, with the last 8 KiB of what it printed, first to standard output,
    then to standard error. A program that isn't there is a check that failed."""
    return tuple([await _checked(command, workspace, redact, timeout_s) for command in commands])


async def _checked(
    command: tuple[str, ...], workspace: Workspace, redact: Redact, timeout_s: float
) -> CheckResult:
    clock = asyncio.get_running_loop()
    begun = clock.time()
    try:
        finished = await run(
            command,
            cwd=workspace.path,
            env=minimal_env(workspace.env),
            timeout_s=timeout_s,
            limit_bytes=_LOOKED_AT,
            contained=True,
        )
    except (BigtaskError, OSError, ValueError) as error:
        # ValueError: an argument that no program can be given.
        return CheckResult(command=command, exit_status=127, output=redact(str(error)))
    printed = redact((finished.stdout + finished.stderr).decode(errors="replace"))
    return CheckResult(
        command=command,
        exit_status=None if finished.timed_out else finished.status,
        output=printed.encode()[-_KEPT:].decode(errors="ignore"),
        took_ms=round((clock.time() - begun) * 1000),
    )
