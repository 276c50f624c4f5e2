"""One hook as a process: bounded in time and in what is kept of it, and nothing of it stays behind."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest

from bigtask.core.commands import Pause, Resume
from bigtask.core.events import Event
from bigtask.core.hooks import HookEnded
from bigtask.errors import NotFound
from bigtask.host.hooks import Hooks
from bigtask.sink import Redact, nothing_secret
from bigtask.templates.programs import named_files
from bigtask.workspaces.values import Workspace
from core.world import World, started, task

from .scene import PATIENCE_S, Signal, end_of

pytestmark = pytest.mark.integration

KEPT = 4_096
SECRET = "canary-0123456789"  # noqa: S105 - of nobody


def called(*command: str, place: Path | None = None) -> World:
    """A run in which one call of the command is due. What it names in the project at `place` is approved."""
    files = named_files(command, place) if place is not None else {}
    return started(task("a"), hooks={"onWorkerComplete": command}, hook_files=files).complete("a")


async def seen_of(
    world: World,
    place: Path,
    *,
    redact: Redact = nothing_secret,
    missing: Exception | None = None,
    **bounds: Any,
) -> list[HookEnded]:
    """What is seen of the hooks that one look begins. `missing` is why there is no workspace."""

    async def workspace() -> Workspace:
        if missing is not None:
            raise missing
        return Workspace(path=place, branch="b", start_commit="", tmp=place)

    async def recall(seq: int) -> Event:
        return world.events[seq - 1]

    told: list[HookEnded] = []
    async with asyncio.timeout(PATIENCE_S), asyncio.TaskGroup() as group:
        Hooks(world.run, workspace, redact, **bounds).look(group, recall, told.append)
    return told


async def ended(world: World, place: Path, **how: Any) -> HookEnded:
    (seen,) = await seen_of(world, place, **how)
    return seen


def shell(text: str, place: Path) -> World:
    return called("sh", "-c", text, str(place))


async def test_a_hook_that_hangs_is_ended_after_its_time(tmp_path: Path, begun: Signal) -> None:
    seen = await ended(shell('echo $$ > "$0/begun"; exec sleep 1000', tmp_path), tmp_path, timeout_s=0.3)
    assert (seen.exit_status, seen.trouble) == (None, "didn't end within 0.3 s")
    await end_of(int(await begun.line()))


async def test_a_hook_that_does_not_want_to_end_is_ended_all_the_same(tmp_path: Path, begun: Signal) -> None:
    deaf = 'trap "" TERM; echo $$ > "$0/begun"; while :; do sleep 1000; done'
    seen = await ended(shell(deaf, tmp_path), tmp_path, timeout_s=0.3)
    assert seen.exit_status is None
    await end_of(int(await begun.line()))


async def test_in_a_paused_run_no_hook_begins(tmp_path: Path) -> None:
    hooks = {"onWorkerComplete": ("true",)}
    world = started(task("a"), task("b"), hooks=hooks, max_workers=1).complete("a")
    world.ask(Pause(now=True))
    assert world.run.paused
    assert await seen_of(world, tmp_path) == []
    world.ask(Resume())
    assert len(await seen_of(world, tmp_path)) == 1


async def test_of_a_flood_only_the_last_4_kib_are_kept(tmp_path: Path) -> None:
    flood = 'head -c 30000000 /dev/zero | tr "\\0" x; printf "%s" the-end; echo said >&2; exit 5'
    seen = await ended(shell(flood, tmp_path), tmp_path)
    assert seen.exit_status == 5
    assert len(seen.output.encode()) == KEPT
    assert seen.output.endswith("the-endsaid\n")
    assert seen.said == "said\n"


async def test_a_flood_that_never_ends_is_ended_after_its_time(tmp_path: Path) -> None:
    seen = await ended(called("yes"), tmp_path, timeout_s=0.3)
    assert seen.trouble == "didn't end within 0.3 s"
    assert seen.output.endswith("y\ny\n")
    assert len(seen.output.encode()) == KEPT


async def test_what_a_hook_leaves_running_ends_with_it(tmp_path: Path, begun: Signal) -> None:
    seen = await ended(shell('(echo x; exec sleep 1000) & echo $! > "$0/begun"', tmp_path), tmp_path)
    assert seen.exit_status == 0
    await end_of(int(await begun.line()))


async def test_a_hook_need_not_read_what_it_is_told(tmp_path: Path) -> None:
    world = shell("exec true", tmp_path)
    record = world.run.tasks["a"]
    assert record.attempt is not None
    assert record.attempt.report is not None
    # Far more than fits into a pipe.
    record.attempt.report = type(record.attempt.report)(data={"status": "success", "output": "x" * 2**21})
    assert (await ended(world, tmp_path)).exit_status == 0


async def test_a_hook_without_its_program_could_not_be_run(tmp_path: Path) -> None:
    seen = await ended(called("no-such-program-anywhere"), tmp_path)
    assert seen.exit_status is None
    assert seen.trouble == (
        "couldn't be run: no-such-program-anywhere wasn't found: install it, or put it on PATH"
    )


async def test_an_argument_that_no_program_can_be_given_is_no_crash(tmp_path: Path) -> None:
    seen = await ended(called("true", "a\0b"), tmp_path)
    assert seen.trouble.startswith("couldn't be run: ")


async def test_a_hook_without_a_workspace_could_not_be_run(tmp_path: Path) -> None:
    seen = await ended(called("true"), tmp_path, missing=NotFound("the project has gone: restore it"))
    assert seen.trouble == "couldn't be run: the project has gone: restore it"


async def test_a_program_of_the_project_is_found_by_its_path_in_it(tmp_path: Path) -> None:
    (tmp_path / "tools").mkdir()
    (tmp_path / "tools" / "tell").write_text("#!/bin/sh\npwd\n")
    (tmp_path / "tools" / "tell").chmod(0o755)
    seen = await ended(called("./tools/tell", place=tmp_path), tmp_path)
    assert (seen.exit_status, seen.output, seen.trouble) == (0, f"{tmp_path}\n", "")


def without(secret: str) -> Redact:
    return lambda text: text.replace(secret, "<secret>")


@pytest.mark.parametrize("shift", [0, 1, 9, 17, 18])
async def test_no_part_of_a_secret_passes_also_where_the_output_is_cut(tmp_path: Path, shift: int) -> None:
    flood = 'head -c 100000 /dev/zero | tr "\\0" y >&2'
    text = (
        f'{flood}; printf "%s" {SECRET} >&2; head -c {KEPT - len(SECRET) + shift} /dev/zero | tr "\\0" x >&2'
    )
    seen = await ended(shell(text, tmp_path), tmp_path, redact=without(SECRET))
    for kept in (seen.output, seen.said):
        assert len(kept.encode()) <= KEPT
        assert not any(SECRET[at:] in kept for at in range(len(SECRET) - 1))


async def test_output_that_is_no_text_is_kept_as_text(tmp_path: Path) -> None:
    seen = await ended(called("printf", "\\377\\303\\244\\000"), tmp_path)
    assert seen.output == "\ufffdä\0"
    assert os.fsencode(seen.output.replace("\0", ""))
