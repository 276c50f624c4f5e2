"""Memory doesn't grow with what a program prints, and what it says at the end is still read."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from promises.scale import FULL, seconds
from promises.totals import record

_SCRIPT = Path(__file__).with_name("flooded.py")
_MOST = 64 * 2**20
SIZE = 2**30 if FULL else 2**28
KINDS = ["lines", "one line", "run"]

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(sys.platform != "linux", reason="reads the most memory that it had from /proc"),
    pytest.mark.timeout(seconds(120)),
]


def flooded(kind: str, size: int, *mutant: str) -> tuple[int, bool]:
    """By how much the reader's memory has grown, and whether it has read the report."""
    argv = [sys.executable, str(_SCRIPT), kind, str(size), *mutant]
    env = {"PATH": os.environ["PATH"], "HOME": "/nonexistent"}
    done = subprocess.run(argv, env=env, capture_output=True, text=True, check=True)
    said = json.loads(done.stdout)
    return said["grown"], said["report"]


@pytest.mark.parametrize("kind", KINDS)
def test_memory_stays_bounded_under_a_flood_on_both_outputs(kind: str) -> None:
    grown, report = flooded(kind, SIZE)
    assert report
    assert grown <= _MOST
    record(8, name=f"flood of a process: {kind}", unit="bytes", count=2 * SIZE, violations=0, grown=grown)


@pytest.mark.parametrize("kind", KINDS)
def test_a_reader_that_keeps_everything_grows(kind: str) -> None:
    assert flooded(kind, 2**27, "--mutant")[0] > _MOST
