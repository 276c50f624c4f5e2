from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from bigtask.errors import RunBusy
from bigtask.host.lock import Lock, holder_of, reading

_HOLD = """
import sys
from pathlib import Path
from bigtask.host.lock import Lock
lock = Lock.take(Path(sys.argv[1]), who="the other one")
print("held", flush=True)
sys.stdin.read()
"""


def test_a_second_holder_is_refused_and_told_who_has_it(tmp_path):
    path = tmp_path / "lock"
    lock = Lock.take(path, who="bigtask run")
    try:
        with pytest.raises(RunBusy, match=rf"the run is held by process {os.getpid()} \(bigtask run\)"):
            Lock.take(path, who="me")
        assert holder_of(path) == f"process {os.getpid()} (bigtask run)"
    finally:
        lock.release()
    Lock.take(path, who="me").release()


def test_the_lock_is_for_its_owner_alone(tmp_path):
    Lock.take(tmp_path / "lock", who="me").release()
    assert (tmp_path / "lock").stat().st_mode & 0o777 == 0o600


def test_a_short_name_leaves_nothing_of_a_long_one(tmp_path):
    path = tmp_path / "lock"
    path.write_text('{"pid": 1, "who": "somebody with a very long name"}')
    lock = Lock.take(path, who="me")
    assert holder_of(path) == f"process {os.getpid()} (me)"
    lock.release()


def test_a_killed_holder_has_no_lock_any_more(tmp_path):
    path = tmp_path / "lock"
    holder = subprocess.Popen(
        [sys.executable, "-c", _HOLD, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(RunBusy, match=rf"process {holder.pid} \(the other one\)"):
            Lock.take(path, who="me")
        holder.send_signal(signal.SIGKILL)
        holder.wait(10)
        lock = Lock.take(path, who="me")
        assert lock.before is not None
        assert lock.before.pid == holder.pid
        lock.release()
        lock = Lock.take(path, who="me")
        assert lock.before is None, "one that let go leaves nothing to look for"
        lock.release()
    finally:
        holder.kill()
        holder.communicate()


def test_children_do_not_inherit_the_lock(tmp_path):
    path = tmp_path / "lock"
    lock = Lock.take(path, who="me")
    child = subprocess.Popen(["cat"], stdin=subprocess.PIPE, close_fds=False)
    try:
        lock.release()
        Lock.take(path, who="me").release()
    finally:
        child.communicate()


def test_reading_keeps_holders_away_and_other_readers_not(tmp_path):
    path = tmp_path / "lock"
    with reading(path) as free, reading(path) as also_free:
        assert (free, also_free) == (True, True)
        with pytest.raises(RunBusy):
            Lock.take(path, who="me")
    lock = Lock.take(path, who="me")
    with reading(path) as free:
        assert not free
    lock.release()


@pytest.mark.parametrize("said", [b"", b"nonsense", b"[]", b"{}", b'{"pid": "x", "who": "y"}', b"\xff"])
def test_a_lock_that_says_nothing_of_use_is_somebody_else(tmp_path, said):
    path = tmp_path / "lock"
    path.write_bytes(said)
    assert holder_of(path) == "another process"
    assert holder_of(tmp_path / "nothing") == "another process"
