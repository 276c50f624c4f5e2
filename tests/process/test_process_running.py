from __future__ import annotations

import asyncio
import sys
import threading
import tracemalloc
from pathlib import Path

import pytest

from bigtask.process import minimal_env, running

PY = sys.executable


async def test_a_conversation(tmp_path):
    async with running(["cat"], cwd=tmp_path, env=minimal_env()) as process:
        lines = process.lines()
        for word in (b"one", b"two"):
            await process.write(word + b"\n")
            assert await anext(lines) == word
        process.close_input()
        assert [line async for line in lines] == []
        assert await process.wait() == 0


async def test_the_last_line_needs_no_newline(tmp_path):
    async with running(["printf", "a\n\nb"], cwd=tmp_path, env=minimal_env()) as process:
        assert [line async for line in process.lines()] == [b"a", b"", b"b"]


async def test_an_overlong_line_is_cut_and_counted(tmp_path):
    script = "head -c 300000 /dev/zero | tr '\\0' x; echo; echo after"
    async with running(["sh", "-c", script], cwd=tmp_path, env=minimal_env(), line_limit=1000) as process:
        assert [line async for line in process.lines()] == [b"x" * 1000, b"after"]
        assert process.cut_lines == 1


@pytest.mark.parametrize(
    "script",
    [
        "yes $(head -c 2000 /dev/zero | tr '\\0' x) | head -c 100000000",
        "head -c 100000000 /dev/zero",
        "head -c 100000000 /dev/zero >&2",
    ],
    ids=["lines", "one line", "standard error"],
)
async def test_memory_does_not_grow_with_the_output(tmp_path, script):
    tracemalloc.start()
    try:
        async with running(
            ["sh", "-c", script], cwd=tmp_path, env=minimal_env(), line_limit=2**20
        ) as process:
            async for _ in process.lines():
                pass
            await process.wait()
            assert tracemalloc.get_traced_memory()[1] < 8 * 2**20
    finally:
        tracemalloc.stop()


async def test_a_program_waits_for_a_reader_that_does_not_read(tmp_path):
    script = "yes $(head -c 2000 /dev/zero | tr '\\0' x) | head -c 20000000"
    async with running(["sh", "-c", script], cwd=tmp_path, env=minimal_env()) as process:
        lines = process.lines()
        await anext(lines)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1.5):
                await process.wait()
        assert sum([len(line) + 1 async for line in lines]) == 20000000 - 2001 + 1
        assert await process.wait() == 0


async def test_nothing_is_cut_when_the_exit_and_the_output_are_seen_at_once(tmp_path):
    async with running(["seq", "9000"], cwd=tmp_path, env=minimal_env()) as process:
        # Our loop stands still meanwhile, so that it learns of everything in one round: the program has
        # ended, and the thread in which asyncio waits for it has said so.
        while Path(f"/proc/{process.pid}").exists() or any(
            thread.name.startswith("waitpid") for thread in threading.enumerate()
        ):
            pass
        assert len([line async for line in process.lines()]) == 9000


async def test_everything_a_program_said_arrives_although_it_ended_before_it_was_read(tmp_path):
    async with running(["seq", "200000"], cwd=tmp_path, env=minimal_env()) as process:
        assert len([line async for line in process.lines()]) == 200000
    async with running(["seq", "9000"], cwd=tmp_path, env=minimal_env()) as process:
        await process.wait()
        assert len([line async for line in process.lines()]) == 9000


async def test_a_descendant_with_the_pipe_open_holds_nothing_up(tmp_path, gone):
    code = "import subprocess; print(subprocess.Popen(['sleep', '30'], start_new_session=True).pid)"
    async with asyncio.timeout(15), running([PY, "-c", code], cwd=tmp_path, env=minimal_env()) as process:
        assert await process.wait() == 0
        (pid,) = [int(line) async for line in process.lines()]
        assert not gone(pid)
    assert gone(pid)


async def test_leaving_ends_the_group_also_when_it_ignores_the_request(tmp_path, gone, until):
    stay = "while :; do sleep 1; done"
    script = f"trap '' TERM; ({stay}) & echo $$; echo $!; {stay}"
    async with running(["sh", "-c", script], cwd=tmp_path, env=minimal_env(), grace_s=0.2) as process:
        lines = process.lines()
        pids = [int(await anext(lines)), int(await anext(lines))]
    assert await process.wait() == -9
    await until(lambda: all(gone(pid) for pid in pids))


async def test_a_request_to_end_may_be_answered(tmp_path):
    script = f"trap 'echo tidy > {tmp_path}/said; exit 7' TERM; echo ready; while :; do sleep 0.05; done"
    async with running(["sh", "-c", script], cwd=tmp_path, env=minimal_env(), grace_s=10) as process:
        await anext(process.lines())
        await process.end()
        assert await process.wait() == 7
        await process.end()
    assert (tmp_path / "said").exists()


async def test_the_tail_of_standard_error_is_kept(tmp_path, until):
    script = "head -c 1000000 /dev/zero >&2; echo why >&2"
    async with running(["sh", "-c", script], cwd=tmp_path, env=minimal_env()) as process:
        assert [line async for line in process.lines()] == []
        await process.wait()
        await until(lambda: process.stderr_tail.endswith(b"why\n"))
        assert len(process.stderr_tail) == 16 * 1024


async def test_writing_to_a_program_that_ended_says_so(tmp_path):
    async with running(["true"], cwd=tmp_path, env=minimal_env()) as process:
        await process.wait()
        with pytest.raises(BrokenPipeError):
            await process.write(b"hello\n")


async def test_a_writer_that_waits_is_let_go_when_the_program_ends(tmp_path):
    async with asyncio.timeout(20), running(["sleep", "0.2"], cwd=tmp_path, env=minimal_env()) as process:
        await process.write(b"x" * 10_000_000)
