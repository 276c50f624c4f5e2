"""A number that was given away again names somebody else, who isn't signalled."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from promises.scale import seconds, share
from promises.totals import record

from .reuser import WAYS

_SCRIPT = Path(__file__).with_name("reuser.py")
_NAMESPACE = ["--pid", "--fork", "--mount-proc", "--kill-child"]
_AS_SOMEBODY = ["--user", "--map-root-user"]

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(sys.platform != "linux", reason="numbers can be chosen on Linux only"),
    pytest.mark.timeout(seconds(60)),
]


@pytest.fixture(scope="module")
def namespace() -> list[str]:
    """How to start a program as the first of a PID namespace in which it may choose numbers."""
    program = shutil.which("unshare")
    for rights in ([], _AS_SOMEBODY) if program else ():
        argv = ["unshare", *rights, *_NAMESPACE]
        chosen = [*argv, "sh", "-c", "echo 500 > /proc/sys/kernel/ns_last_pid"]
        if subprocess.run(chosen, capture_output=True, check=False).returncode == 0:
            return argv
    pytest.skip("this system lets us make no PID namespace")


def reused(namespace: list[str], way: str, count: int, *mutant: str) -> dict[str, int]:
    env = {"PATH": os.environ["PATH"], "HOME": "/nonexistent"}
    argv = [*namespace, sys.executable, str(_SCRIPT), way, str(count), *mutant]
    done = subprocess.run(argv, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    said: dict[str, int] = json.loads(done.stdout)
    return said


@pytest.mark.parametrize("way", WAYS)
def test_a_stranger_with_the_number_of_ours_is_not_signalled(namespace: list[str], way: str) -> None:
    count = share(100)
    assert reused(namespace, way, count) == {"forced": count, "wrong": 0}
    record(6, name=f"numbers given away again: {way}", unit="strangers", count=count, violations=0)


@pytest.mark.parametrize("way", WAYS)
def test_who_goes_by_numbers_signals_strangers(namespace: list[str], way: str) -> None:
    assert reused(namespace, way, 2, "--mutant") == {"forced": 2, "wrong": 2}
