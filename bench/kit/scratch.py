"""A folder for what a run writes, on a disk: where temporary files live in memory a sync costs nothing."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def scratch() -> Iterator[Path]:
    """Below `BIGTASK_BENCH_DISK`, else in /var/tmp, which outlives a restart and so lies on a disk; removed
    at the end."""
    lasting = Path("/var/tmp")  # noqa: S108 - the folder inside is fresh and only ours
    given = os.environ.get("BIGTASK_BENCH_DISK")
    place = given or (str(lasting) if lasting.is_dir() else None)
    with tempfile.TemporaryDirectory(prefix="bigtask-bench-", dir=place) as folder:
        yield Path(folder)
