"""Whether a run may take more of the disk for its workspaces."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

from bigtask.workspaces.disk_use import used_bytes

GIB = 1 << 30
_LEAST_FREE = 256 << 20
_LEAST_SHARE = 20
"""Bytes that stay free, or the part of a small disk: for the log, and for whatever else works there."""


class Space:
    """Of the folder `workspaces`. To measure it takes as long as to list it, so that it is done again only
    when the disk has become fuller by half of what was left."""

    def __init__(self, workspaces: Path) -> None:
        self._workspaces = workspaces
        self._measuring = asyncio.Lock()
        self._enough_at: int | None = None
        """As long as so many bytes of the disk are free, nothing is measured."""

    async def lack(self, most_gib: float | None) -> str | None:
        """Why there should be no further workspace, as the beginning of a sentence. Raises OSError."""
        async with self._measuring:
            at = next(path for path in (self._workspaces, *self._workspaces.parents) if path.exists())
            disk = shutil.disk_usage(at)
            if disk.free < min(_LEAST_FREE, disk.total // _LEAST_SHARE):
                return f"the disk that workspaces are made on has only {disk.free >> 20} MiB left"
            if most_gib is None or (self._enough_at is not None and disk.free > self._enough_at):
                return None
            most = int(most_gib * GIB)
            used = await asyncio.to_thread(used_bytes, self._workspaces)
            if used < most:
                self._enough_at = disk.free - (most - used) // 2
                return None
            self._enough_at = None
            return (
                f"the workspaces of this run take {used / GIB:.1f} GiB, and workspacesGib allows {most_gib:g}"
            )
