"""Promise 9: a full disk loses nothing.

The file system is a small one in memory that only the tested process can see, so it goes with that process.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from projects import ENV

from .scale import SEED, seconds, share
from .totals import record

BUDGET_S = 60

pytestmark = [pytest.mark.integration, pytest.mark.timeout(seconds(BUDGET_S))]

POINTS = share(100)
HERE = Path(__file__).parent
_NAMESPACE = ["unshare", "--user", "--map-root-user", "--mount"]
_MOUNTED = 'mount -t tmpfs -o size=3m tmpfs "$0" && exec "$@"'


@pytest.fixture
def within(tmp_path: Path) -> list[str]:
    """The beginning of a command that runs with a file system of 3 MiB at `tmp_path/"disk"`."""
    disk = tmp_path / "disk"
    disk.mkdir()
    begin = [*_NAMESPACE, "sh", "-c", _MOUNTED, str(disk)]
    if shutil.which("unshare") is None or subprocess.run([*begin, "true"], check=False).returncode:
        pytest.skip("this system gives no process a file system of its own (unshare, mount)")
    return begin


def filled(within: list[str], place: Path, points: int, *options: str) -> dict[str, Any]:
    argv = [
        *within,
        sys.executable,
        "-P",
        "-m",
        "promises.filler",
        str(place / "disk"),
        str(points),
        str(SEED),
    ]
    done = subprocess.run(
        [*argv, *options],
        env={**ENV, "PYTHONPATH": str(HERE.parent)},
        capture_output=True,
        text=True,
        timeout=seconds(BUDGET_S),
        check=False,
    )
    if options and done.returncode:
        return {"complaints": [done.stderr.splitlines()[-1]]}
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_what_was_acknowledged_on_a_full_disk_is_there_and_the_run_goes_on_by_itself(
    tmp_path: Path, within: list[str]
) -> None:
    found = filled(within, tmp_path, POINTS)
    complaints = found.pop("complaints")
    record(
        9,
        name="disk of 3 MiB filled",
        unit="points",
        count=found.pop("points"),
        violations=len(complaints),
        **found,
    )
    assert complaints == []
    assert found["waited"] > POINTS // 4, "the disk was full often enough for a command to wait"
    assert list((tmp_path / "disk").iterdir()) == [], "it went with its process"


def test_a_holder_that_takes_a_full_disk_for_a_success_loses_what_it_told(
    tmp_path: Path, within: list[str]
) -> None:
    assert filled(within, tmp_path, 6, "--mutant")["complaints"]
