from __future__ import annotations

import asyncio
import json
import os
import resource
import signal
import sys
from pathlib import Path

import pytest

from bigtask.agents.child import ChildSession
from bigtask.agents.protocol import Prompt, SessionEvent, SessionLost, Text, TurnEnded
from bigtask.process import ProgramNotFound

PROMPT = Prompt(text="Do it.", phase="analysis", variables={}, nonce="n")
END = r'{"type": "end"}'


async def turn_of(
    code: str, cwd: Path, *, grace_s: float = 2.0, prompt: Prompt = PROMPT
) -> list[SessionEvent]:
    argv = [sys.executable, "-c", code]
    async with (
        asyncio.timeout(60),
        ChildSession.start(argv, cwd=cwd, env={"ONLY": "this"}, session_id="s", grace_s=grace_s) as session,
    ):
        return [event async for event in session.turn(prompt)]


def is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


async def ended(pid: int) -> bool:
    async with asyncio.timeout(10):
        while is_running(pid):  # noqa: ASYNC110 - the kernel tells nobody of a process that isn't our child
            await asyncio.sleep(0.01)
    return True


async def test_the_child_gets_exactly_the_environment_and_directory_given(tmp_path: Path) -> None:
    code = (
        "import json, os; ours = {k: v for k, v in os.environ.items() if k != 'LC_CTYPE'}; "
        "print(json.dumps({'type': 'text', 'text': json.dumps([ours, os.getcwd()])})); "
        f"print('{END}', flush=True); input(); input()"
    )
    first, last = await turn_of(code, tmp_path)
    assert isinstance(first, Text)
    env, cwd = json.loads(first.text)
    assert env.pop("BIGTASK_TAG"), "by which what is left over is found"
    assert (env, cwd) == ({"ONLY": "this"}, str(tmp_path))
    assert last == TurnEnded()


async def test_a_program_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(ProgramNotFound):
        async with ChildSession.start(["/no/such/program"], cwd=tmp_path, env={}, session_id="s"):
            pass


async def test_a_loss_tells_status_and_the_end_of_standard_error(tmp_path: Path) -> None:
    code = "import sys; sys.stderr.write('x' * 10**6 + 'no more paper'); sys.exit(7)"
    with pytest.raises(
        SessionLost, match=r"exited with status 7 in the middle of a turn.*no more paper$"
    ) as lost:
        await turn_of(code, tmp_path)
    assert len(str(lost.value)) < 3000


async def test_a_loss_tells_the_signal(tmp_path: Path) -> None:
    with pytest.raises(SessionLost, match="was ended by SIGABRT"):
        await turn_of("import os; os.abort()", tmp_path)


async def test_garbage_is_counted_and_skipped(tmp_path: Path) -> None:
    garbage = [
        "hello",
        "",
        "[1]",
        '{"type": "dance"}',
        '{"type": "text", "text": 5}',
        '{"type": "text", "text": ' + "[" * 100_000,
        "\\xff\\udcff",
    ]
    code = f"import sys\nfor line in {garbage!r}: print(ascii(line) if line > '~' else line)\n"
    with pytest.raises(SessionLost, match="7 lines of its output weren't session events"):
        await turn_of(code, tmp_path)
    assert await turn_of(code + f"print('{END}', flush=True); input(); input()", tmp_path) == [TurnEnded()]


async def test_an_error_at_the_end_of_a_turn_mentions_the_garbage(tmp_path: Path) -> None:
    error = '{"type": "end", "reason": "error", "detail": "sorry"}'
    (ended,) = await turn_of(f"print('Traceback'); print('{error}', flush=True); input(); input()", tmp_path)
    assert ended == TurnEnded(reason="error", detail="sorry (1 lines of its output weren't session events)")


async def test_a_line_over_the_limit_is_cut_and_reported(tmp_path: Path) -> None:
    code = "import sys; sys.stdout.write('y' * (5 * 2**20) + '\\n'); sys.exit(1)"
    with pytest.raises(SessionLost, match=r"1 lines of its output .*, 1 of them longer than 4 MiB"):
        await turn_of(code, tmp_path)


async def test_a_long_line_within_the_limit_is_an_event(tmp_path: Path) -> None:
    code = (
        "import json; print(json.dumps({'type': 'text', 'text': 'z' * (3 * 2**20)})); "
        f"print('{END}', flush=True); input(); input()"
    )
    first, _ = await turn_of(code, tmp_path)
    assert isinstance(first, Text)
    assert len(first.text) == 3 * 2**20


async def test_memory_does_not_grow_with_what_the_child_says(tmp_path: Path) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    code = (
        "import sys\n"
        "for _ in range(1600): sys.stdout.write('q' * 65536)\n"
        "print()\n"
        "for _ in range(800): sys.stdout.write(('q' * 1023 + '\\n') * 64); sys.stderr.write('q' * 65536)\n"
        f"print('{END}', flush=True); input(); input()"
    )
    assert await turn_of(code, tmp_path) == [TurnEnded()]
    # KiB on Linux, bytes on macOS.
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // (
        1024 if sys.platform == "darwin" else 1
    )
    assert grown < 64 * 1024


async def test_a_child_that_does_not_read_while_it_talks_gets_a_long_prompt(tmp_path: Path) -> None:
    code = (
        "import sys\n"
        'for _ in range(100): sys.stdout.write(\'{"type": "text", "text": "\' + \'w\' * 65536 + \'"}\\n\')\n'
        f"sys.stdin.readline(); print('{END}', flush=True); input()"
    )
    prompt = Prompt(text="p" * 2**21, phase="analysis", variables={}, nonce="n")
    assert len(await turn_of(code, tmp_path, prompt=prompt)) == 101


async def test_a_descendant_that_keeps_the_pipe_open_does_not_hold_us_and_ends_too(tmp_path: Path) -> None:
    code = (
        "import subprocess, sys, pathlib\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import signal; signal.pause()'])\n"
        "pathlib.Path('pid').write_text(str(child.pid))\n"
        "sys.exit(4)"
    )
    with pytest.raises(SessionLost, match="exited with status 4"):
        await turn_of(code, tmp_path)
    assert await ended(int((tmp_path / "pid").read_text()))


async def test_a_child_that_closes_its_output_is_lost_and_ended(tmp_path: Path) -> None:
    code = (
        "import os, signal, pathlib; pathlib.Path('pid').write_text(str(os.getpid())); "
        "os.close(1); signal.pause()"
    )
    with pytest.raises(SessionLost, match="closed its output in the middle of a turn"):
        await turn_of(code, tmp_path, grace_s=0.2)
    assert await ended(int((tmp_path / "pid").read_text()))


async def test_a_child_that_hears_nothing_is_killed_with_its_group(tmp_path: Path) -> None:
    code = (
        "import os, signal, sys\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "other = os.fork()\n"
        'if other: print(\'{"type": "text", "text": "%d"}\' % other, flush=True)\n'
        "while True: signal.pause()"
    )
    argv = [sys.executable, "-c", code]
    async with asyncio.timeout(30):
        async with ChildSession.start(argv, cwd=tmp_path, env={}, session_id="s", grace_s=0.2) as session:
            assert os.getpgid(session.pid) == session.pid
            event = await anext(session.turn(PROMPT))
        assert isinstance(event, Text)
        assert await ended(session.pid)
        assert await ended(int(event.text))


async def test_a_child_that_is_well_ends_by_itself(tmp_path: Path) -> None:
    code = (
        "import pathlib, sys\n"
        f"sys.stdin.readline(); print('{END}', flush=True)\n"
        "sys.stdin.read(); pathlib.Path('goodbye').write_text('')"
    )
    await turn_of(code, tmp_path, grace_s=20)
    assert (tmp_path / "goodbye").exists()


async def test_a_child_killed_from_outside_is_lost(tmp_path: Path) -> None:
    code = f"import signal; print('{json.dumps({'type': 'text', 'text': 'x'})}', flush=True); signal.pause()"
    argv = [sys.executable, "-c", code]
    async with asyncio.timeout(30), ChildSession.start(argv, cwd=tmp_path, env={}, session_id="s") as session:
        turn = session.turn(PROMPT)
        await anext(turn)
        os.kill(session.pid, signal.SIGKILL)
        with pytest.raises(SessionLost, match="was ended by SIGKILL"):
            await anext(turn)
        await session.send("to nobody")
