"""A run that is half done loses its holder: how long until the next one has answered its first command.

--ended killed: the holder got SIGKILL; closed: it was left cleanly, so that it has kept a snapshot for the
next one. --snapshot dropped: that is taken away, and the whole log has to be folded. The time begins before
the new process does. Every recovery works on a copy of its own.
"""

from __future__ import annotations

import json
import shutil
import signal
import sqlite3
import statistics
import subprocess
import sys
from collections.abc import Sequence
from contextlib import closing
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bigtask.host.home import Home
from kit.command import given, tell
from kit.recording import now
from kit.scratch import scratch

OPTIONS = {
    "ended": ("killed", "closed"),
    "snapshot": ("kept", "dropped"),
    "times": ("3", "1", "5", "10"),
}
_HERE = Path(__file__).parent
_TIMEOUT_S = 600


def started(script: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(_HERE / script), *(str(argument) for argument in arguments)]
    return subprocess.run(
        command, check=False, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_TIMEOUT_S
    )


def recover(workload: Path, folder: Path) -> dict[str, Any]:
    began = now()
    done = started("next_holder.py", workload, folder)
    if done.returncode:
        raise RuntimeError(f"the next holder failed: {done.stderr[-2000:]}")
    said: dict[str, Any] = json.loads(done.stdout)
    return {**said, "ready_s": said["ready_at"] - began}


def snapshot_seq(log: Path, *, drop: bool = False) -> int:
    """The event after which the snapshot in the log was made, 0 without one."""
    with closing(sqlite3.connect(log)) as connection, connection:
        found = connection.execute("SELECT coalesce(max(seq), 0) FROM snapshots").fetchone()[0]
        if drop:
            connection.execute("DELETE FROM snapshots")
    return int(found)


def measure(workload: Path, name: str, place: Path, *, ended: str, drop: bool, times: int) -> dict[str, Any]:
    first = started("half_done.py", workload, place, ended)
    if first.returncode != (-signal.SIGKILL if ended == "killed" else 0):
        raise RuntimeError(f"the first holder ended with {first.returncode}: {first.stderr[-2000:]}")
    told = int(first.stdout)
    (folder,) = Home(place / "home").folders()
    (folder.path / "sock").unlink(missing_ok=True)
    recovered = []
    for number in range(times):
        copy = place / f"copy-{number}" / folder.id
        shutil.copytree(folder.path, copy)
        if drop:
            snapshot_seq(copy / "log.db", drop=True)
        recovered.append(recover(workload, copy))
    return {
        "system": "bigtask",
        "variant": f"{ended}/{'dropped' if drop else 'kept'}",
        "version": version("bigtask"),
        "workload": "recovery",
        "of": name,
        "told": told,
        "events": recovered[0]["seq"],
        "snapshot_seq": 0 if drop else snapshot_seq(folder.log),
        "log_mb": round(sum(file.stat().st_size for file in folder.path.glob("log.db*")) / 1e6, 2),
        "ready_s": _median(recovered, "ready_s"),
        "hold_s": _median(recovered, "hold_s"),
        "errors": [
            f"{told} tasks had been told of as completed, and the next holder knew {one['completed']}"
            for one in recovered
            if one["completed"] < told
        ],
    }


def _median(recovered: Sequence[dict[str, Any]], name: str) -> float:
    return round(statistics.median([float(one[name]) for one in recovered]), 3)


def main() -> int:
    workload, options = given(__doc__, OPTIONS)
    with scratch() as place:
        found = measure(
            options.workload.absolute(),
            workload.name,
            place,
            ended=options.ended,
            drop=options.snapshot == "dropped",
            times=int(options.times),
        )
    return tell(found)


if __name__ == "__main__":
    sys.exit(main())
