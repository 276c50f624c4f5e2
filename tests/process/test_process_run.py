from __future__ import annotations

import asyncio
import os
import sys

import pytest

from bigtask.process import ProgramNotFound, minimal_env, run

from .trees import alive, clear, new_name, sleeping

PY = sys.executable


async def test_a_program_answers_and_ends(tmp_path):
    done = await run(
        ["sh", "-c", "cat; echo no >&2; exit 3"], cwd=tmp_path, env=minimal_env(), timeout_s=20, input=b"hi"
    )
    assert (done.status, done.stdout, done.stderr) == (3, b"hi", b"no\n")
    assert not done.truncated
    assert not done.timed_out


async def test_long_output_keeps_its_head_and_its_tail(tmp_path):
    code = "import sys; sys.stdout.write('a' + 'x' * 5_000_000 + 'z')"
    done = await run([PY, "-c", code], cwd=tmp_path, env=minimal_env(), timeout_s=20, limit_bytes=1000)
    assert len(done.stdout) == 1000
    assert done.stdout[:1] + done.stdout[-1:] == b"az"
    assert done.truncated


async def test_output_of_exactly_the_limit_is_whole(tmp_path):
    done = await run(["printf", "12345678"], cwd=tmp_path, env=minimal_env(), timeout_s=20, limit_bytes=8)
    assert (done.stdout, done.truncated) == (b"12345678", False)


async def test_output_is_whole_although_the_exit_may_be_seen_first(tmp_path):
    for _ in range(60):
        done = await run(["head", "-c", "60000", "/dev/zero"], cwd=tmp_path, env=minimal_env(), timeout_s=20)
        assert len(done.stdout) == 60000


async def test_a_slow_program_and_its_children_are_ended(tmp_path, gone, until):
    script = "trap '' TERM; sleep 600 & echo $!; wait; sleep 600"
    done = await run(["sh", "-c", script], cwd=tmp_path, env=minimal_env(), timeout_s=0.3)
    assert done.timed_out
    assert done.status < 0
    await until(lambda: gone(int(done.stdout)))


async def test_cancelling_ends_the_program(tmp_path, gone, until):
    script = f"sleep 600 & echo $! > {tmp_path}/pid.new; mv {tmp_path}/pid.new {tmp_path}/pid; wait"
    task = asyncio.create_task(run(["sh", "-c", script], cwd=tmp_path, env=minimal_env(), timeout_s=60))
    await until((tmp_path / "pid").exists)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await until(lambda: gone(int((tmp_path / "pid").read_text())))


async def test_cancelling_while_it_starts_ends_what_it_has_started(tmp_path):
    name = new_name()
    try:
        for _ in range(20):
            script = ["sh", "-c", f"sleep {name} & wait"]
            work = asyncio.create_task(run(script, cwd=tmp_path, env=minimal_env(), timeout_s=60))
            # Our loop stands still until the program's child runs: we haven't been told of the program yet.
            await asyncio.sleep(0)
            while not sleeping(name):
                if work.done():
                    break
                if not alive(name):
                    await asyncio.sleep(0)
            work.cancel()
            with pytest.raises(asyncio.CancelledError):
                await work
            async with asyncio.timeout(20):
                while alive(name):  # noqa: ASYNC110 - processes end without telling us
                    await asyncio.sleep(0.01)
    finally:
        clear(name)


async def test_a_second_cancelling_ends_it_as_well(tmp_path, gone, until):
    script = "trap '' TERM; echo $$ > new; mv new pid; while :; do sleep 1; done"
    task = asyncio.create_task(run(["sh", "-c", script], cwd=tmp_path, env=minimal_env(), timeout_s=60))
    await until((tmp_path / "pid").exists)
    task.cancel()
    await asyncio.wait([task], timeout=0.1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await until(lambda: gone(int((tmp_path / "pid").read_text())))


async def test_what_a_program_leaves_behind_ends_with_it(tmp_path, gone, until):
    async with asyncio.timeout(20):
        done = await run(["sh", "-c", "sleep 600 & echo $!"], cwd=tmp_path, env=minimal_env(), timeout_s=60)
    await until(lambda: gone(int(done.stdout)))


async def test_a_descendant_in_another_session_does_not_hold_the_answer_up(tmp_path):
    code = "import subprocess; print(subprocess.Popen(['sleep', '30'], start_new_session=True).pid)"
    async with asyncio.timeout(15):
        done = await run([PY, "-c", code], cwd=tmp_path, env=minimal_env(), timeout_s=60)
    os.kill(int(done.stdout), 9)


async def test_input_that_nobody_reads_is_no_error(tmp_path):
    done = await run(["true"], cwd=tmp_path, env=minimal_env(), timeout_s=20, input=b"x" * 1_000_000)
    assert done.status == 0


async def test_only_the_given_environment_arrives(tmp_path, monkeypatch):
    monkeypatch.setenv("ANTHROPIC_API_KEY", "secret")
    monkeypatch.setenv("SOME_TOKEN", "secret")
    monkeypatch.setenv("LC_TIME", "C")
    env = minimal_env({"EXTRA": "1"})
    done = await run(["env"], cwd=tmp_path, env=env, timeout_s=20)
    names = {line.partition(b"=")[0] for line in done.stdout.splitlines()}
    assert {b"PATH", b"LC_TIME", b"EXTRA"} <= names
    assert not names & {b"ANTHROPIC_API_KEY", b"SOME_TOKEN"}


async def test_what_cannot_be_started_says_what_to_do(tmp_path):
    plain = tmp_path / "plain"
    plain.write_bytes(b"\x7fnot a program")
    with pytest.raises(ProgramNotFound, match="install it, or put it on PATH"):
        await run(["no-such-program-here"], cwd=tmp_path, env=minimal_env(), timeout_s=5)
    with pytest.raises(ProgramNotFound, match="may not be run"):
        await run([str(plain)], cwd=tmp_path, env=minimal_env(), timeout_s=5)
    plain.chmod(0o755)
    with pytest.raises(ProgramNotFound, match="isn't a program"):
        await run([str(plain)], cwd=tmp_path, env=minimal_env(), timeout_s=5)
    with pytest.raises(ProgramNotFound, match="make it a directory"):
        await run(["true"], cwd=tmp_path / "missing", env=minimal_env(), timeout_s=5)
