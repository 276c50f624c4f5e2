"""What the figures were measured on, in words."""

from __future__ import annotations

import os
import platform
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Mapping
from datetime import date
from importlib.metadata import version
from pathlib import Path

_SYNCS = 200


def described() -> Mapping[str, str]:
    """Words by what they are about."""
    return {
        "date": date.today().isoformat(),
        "processor": f"{os.cpu_count()} × {_processor()}",
        "system": f"{platform.system()} {platform.release()} ({platform.machine()})",
        "Python": f"{platform.python_implementation()} {platform.python_version()}",
        "SQLite": sqlite3.sqlite_version,
        "bigtask": version("bigtask"),
        "load before": f"{os.getloadavg()[0]:.2f}",
        "a sync of 4 KB": f"{_sync_ms():.2f} ms, median of {_SYNCS}",
    }


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass  # other systems keep it elsewhere
    return platform.processor() or platform.machine()


def disk() -> Path | None:
    """Where runners write: `BIGTASK_BENCH_DISK`, else where temporary files outlive a restart and so lie on a
    disk; None for the usual place where there is neither."""
    given = os.environ.get("BIGTASK_BENCH_DISK")
    lasting = Path("/var/tmp")  # noqa: S108 - a fresh folder is made in it
    return Path(given) if given else (lasting if lasting.is_dir() else None)


def _sync_ms() -> float:
    taken = []
    with tempfile.TemporaryFile(dir=disk()) as file:
        for _ in range(_SYNCS):
            file.write(bytes(4096))
            file.flush()
            began = time.perf_counter()
            os.fsync(file.fileno())
            taken.append(time.perf_counter() - began)
    return statistics.median(taken) * 1000
