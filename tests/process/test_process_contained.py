"""What a program with a keeper sees of it, and what we see of the program: as if there were none."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
from pathlib import Path

import msgspec
import pytest

from bigtask.errors import BigtaskError
from bigtask.process import (
    Containment,
    Finished,
    Identity,
    ProgramNotFound,
    capabilities,
    cgroup,
    is_running,
    minimal_env,
    proc,
    reconcile,
    run,
    running,
    this_process,
)

from .trees import alive, clear, new_name

pytestmark = pytest.mark.integration
on_linux = pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
OWNER = "0123456789abcdef" * 2


async def contained(script: str, *, cwd: Path = Path("/"), timeout_s: float = 60, **more: str) -> Finished:
    return await run(
        ["sh", "-c", script], cwd=cwd, env=minimal_env(more), timeout_s=timeout_s, contained=True
    )


@pytest.mark.parametrize("how", ["exit 0", "exit 3", "kill -TERM $$", "kill -KILL $$", "kill -SEGV $$"])
async def test_it_ends_as_it_would_without_a_keeper(how: str) -> None:
    plain = await run(["sh", "-c", how], cwd=Path("/"), env=minimal_env(), timeout_s=60)
    assert (await contained(how)).status == plain.status


async def test_its_folder_and_its_environment_are_as_given(tmp_path: Path) -> None:
    done = await contained("pwd; env", cwd=tmp_path, GIVEN="a b", LD_LIBRARY_PATH="/nowhere", PYTHONHOME="x")
    folder, *variables = done.stdout.decode().splitlines()
    assert folder == str(tmp_path)
    ours = {
        name: value
        for name, value in (line.split("=", 1) for line in variables)
        if name not in minimal_env() and name not in ("PWD", "OLDPWD", "SHLVL", "_")
    }
    assert len(ours.pop("BIGTASK_TAG")) > 32
    assert ours == {"GIVEN": "a b", "LD_LIBRARY_PATH": "/nowhere", "PYTHONHOME": "x"}


@on_linux
async def test_it_inherits_nothing_of_the_keepers_but_its_outputs() -> None:
    code = "import os, signal; print(os.listdir('/proc/self/fd'), signal.pthread_sigmask(0, []))"
    done = await run(
        [sys.executable, "-c", code], cwd=Path("/"), env=minimal_env(), timeout_s=60, contained=True
    )
    # The fourth is the one that the folder is read by.
    assert done.stdout.decode() == "['0', '1', '2', '3'] set()\n"
    done = await contained("grep SigIgn /proc/self/status")
    ours = re.search(r"SigIgn:\s*(\w+)", Path("/proc/self/status").read_text())
    assert ours is not None
    assert int(done.stdout.split()[1], 16) & ~int(ours[1], 16) == 0


async def test_its_input_and_its_outputs_are_whole() -> None:
    async with running(["cat"], cwd=Path("/"), env=minimal_env()) as process:
        await process.write(b"x" * 300_000 + b"\n")
        assert await anext(process.lines()) == b"x" * 300_000
        process.close_input()
        assert await process.wait() == 0


async def test_what_cannot_be_started_says_so_in_the_same_words(tmp_path: Path) -> None:
    plain_file = tmp_path / "plain"
    plain_file.write_bytes(b"\x7fnot a program")
    for argv, cwd, mode in (
        (["no-such-program-here"], tmp_path, 0o644),
        ([str(plain_file)], tmp_path, 0o644),
        ([str(plain_file)], tmp_path, 0o755),
        (["true"], tmp_path / "missing", 0o644),
    ):
        plain_file.chmod(mode)
        said = []
        for kept in (False, True):
            with pytest.raises(ProgramNotFound) as error:
                await run(argv, cwd=cwd, env=minimal_env(), timeout_s=5, contained=kept)
            said.append(error.value.message)
        assert said[0] == said[1]


@pytest.mark.parametrize(
    ("argv", "env"),
    [(["true", "a\0b"], {}), (["true"], {"A": "\0"}), (["true"], {"A=B": "c"}), (["true", "\ud800"], {})],
)
async def test_what_no_program_can_be_given_is_refused(argv: list[str], env: dict[str, str]) -> None:
    for kept in (False, True):
        with pytest.raises(ValueError, match=r"null byte|illegal|surrogates"):
            await run(argv, cwd=Path("/"), env=minimal_env(env), timeout_s=5, contained=kept)


async def test_its_exit_is_seen_while_what_it_started_goes_on() -> None:
    name = new_name()
    try:
        async with asyncio.timeout(60):
            script = f"setsid sleep {name} & echo done; exit 4"
            async with running(["sh", "-c", script], cwd=Path("/"), env=minimal_env()) as process:
                assert [line async for line in process.lines()] == [b"done"]
                assert await process.wait() == 4
                # A process that is just becoming another program has no arguments for a moment.
                assert any(alive(name) for _ in range(500))
        assert not alive(name)
    finally:
        clear(name)


@on_linux
async def test_a_keeper_that_is_asked_to_end_ends_its_tree() -> None:
    name = new_name()
    try:
        async with running(
            ["sh", "-c", f"setsid sleep {name} & sleep {name} & echo up; wait"],
            cwd=Path("/"),
            env=minimal_env(),
            grace_s=0.2,
        ) as process:
            assert await anext(process.lines()) == b"up"
            found = proc.seen(process.pid)
            assert found is not None
            os.kill(found.parent, signal.SIGTERM)
            assert await process.wait() < 0
        assert not alive(name)
    finally:
        clear(name)


async def test_impatience_leaves_nothing_behind() -> None:
    """Cancelled again and again while the end is being waited for."""
    name = new_name()
    try:
        script = f"trap '' TERM; setsid sleep {name} & while :; do sleep {name}; done"
        work = asyncio.create_task(contained(script))
        async with asyncio.timeout(60):
            while len(alive(name)) < 3:  # noqa: ASYNC110 - processes begin without telling us
                await asyncio.sleep(0.02)
            for _ in range(6):
                work.cancel()
                await asyncio.wait([work], timeout=0.001)
            with pytest.raises(asyncio.CancelledError):
                await work
            while alive(name):  # noqa: ASYNC110 - ditto
                await asyncio.sleep(0.02)
    finally:
        clear(name)


@on_linux
async def test_a_program_that_forks_without_end_is_ended() -> None:
    name = new_name()
    # Each makes two in place of itself, up to a bound that spares the machine.
    script = f'n=$1; [ "$n" -gt 7 ] && exec sleep {name}; for _ in 1 2; do sh "$0" $((n + 1)) & done'
    try:
        async with running(
            ["sh", "-c", f"{script}; wait", "sh", "0"], cwd=Path("/"), env=minimal_env(), grace_s=0
        ) as process:
            await process.wait()
        assert not alive(name)
    finally:
        clear(name)


@on_linux
async def test_an_identity_survives_being_kept_and_names_one_process() -> None:
    async with running(["sleep", "600"], cwd=Path("/"), env=minimal_env(), grace_s=0.1) as process:
        assert process.identity is not None
        kept = msgspec.json.decode(msgspec.json.encode(process.identity), type=Identity)
        assert kept == process.identity
        assert kept.owner == this_process().tag
        assert is_running(kept)
        assert not is_running(msgspec.structs.replace(kept, started=kept.started + 1))
        assert not is_running(msgspec.structs.replace(kept, boot_id="another"))
        assert not is_running(msgspec.structs.replace(kept, tag=f"{OWNER}:abc"))
        assert is_running(this_process())
    assert not is_running(kept)


@pytest.mark.parametrize("tag", ["", ":", "abc", f"{OWNER}:", f"{OWNER}:../x", f"{OWNER}:a:b", f"{OWNER}\n"])
def test_a_mark_that_could_be_anybodys_is_no_identity(tag: str) -> None:
    with pytest.raises(ValueError, match="mark"):
        Identity(boot_id="x", pid=1, started=1, tag=tag)
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(
            msgspec.json.encode({"boot_id": "x", "pid": 1, "started": 1, "tag": tag}), type=Identity
        )


@on_linux
async def test_a_record_that_was_tampered_with_names_no_other_group(tmp_path: Path) -> None:
    group = capabilities().cgroup
    if group is None:
        pytest.skip("no control group of version 2 that we may divide")
    async with running(["sleep", "600"], cwd=Path("/"), env=minimal_env(), grace_s=0.1) as process:
        assert process.identity is not None
        assert process.identity.cgroup
        forged = msgspec.structs.replace(process.identity, tag=f"{OWNER}:abc")
        assert (await reconcile([forged])).ended == ()
        forged = msgspec.structs.replace(process.identity, tag=OWNER, pid=2**22, cgroup=group)
        assert (await reconcile([forged])).ended == ()
        assert is_running(process.identity)


def test_a_control_group_is_found_below_its_mount() -> None:
    assert cgroup._below("/user/a", root="/", mounted="/sys/fs/cgroup") == "/sys/fs/cgroup/user/a"
    assert cgroup._below("/", root="/", mounted="/sys/fs/cgroup") == "/sys/fs/cgroup"
    assert cgroup._below("/docker/x/y", root="/docker/x", mounted="/cg") == "/cg/y"
    assert cgroup._below("/docker/xy", root="/docker/x", mounted="/cg") is None
    assert cgroup._unescaped("/a\\040b") == "/a b"


@on_linux
def test_a_name_with_brackets_and_blanks_confuses_nobody(tmp_path: Path) -> None:
    program = tmp_path / "a) R (b"
    program.symlink_to("/bin/sleep")
    pid = os.posix_spawn(program, [str(program), "600"], {proc.TAG: "x"})
    try:
        found = proc.seen(pid)
        assert found is not None
        assert found.parent == os.getpid()
        assert pid in proc.children(os.getpid())
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    assert proc.seen(pid) is None
    assert proc.tag(pid) == ""


def test_what_is_in_use_is_said_in_sentences() -> None:
    weakest = Containment(keeper=True, subreaper=False, cgroup=None, marks=False)
    walking = Containment(keeper=True, subreaper=True, cgroup=None, marks=True)
    strongest = Containment(keeper=True, subreaper=True, cgroup="/sys/fs/cgroup/x", marks=True)
    assert [each.level for each in (weakest, walking, strongest)] == ["group", "subreaper", "cgroup"]
    assert "gets away" in weakest.sentences()[0]
    assert "aren't used" in walking.sentences()[1]
    assert "/sys/fs/cgroup/x" in strongest.sentences()[1]
    assert capabilities() == capabilities()
    assert issubclass(ProgramNotFound, BigtaskError)
