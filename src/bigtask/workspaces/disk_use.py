"""How much of a disk a folder takes."""

from __future__ import annotations

import os
from pathlib import Path

_BLOCK = 512
"""Bytes in `st_blocks`, whatever the file system's own blocks are."""


def used_bytes(path: Path) -> int:
    """Of everything below `path`, itself included; 0 where nothing is. No link is followed, a file with
    several names counts once, and what goes away or can't be read meanwhile counts for nothing."""
    try:
        whole = path.lstat().st_blocks * _BLOCK
    except OSError:
        return 0
    seen: set[tuple[int, int]] = set()
    folders = [os.fspath(path)] if path.is_dir() and not path.is_symlink() else []
    while folders:
        try:
            with os.scandir(folders.pop()) as entries:
                for entry in entries:
                    about = entry.stat(follow_symlinks=False)
                    if about.st_nlink > 1 and not entry.is_dir(follow_symlinks=False):
                        if (about.st_dev, about.st_ino) in seen:
                            continue
                        seen.add((about.st_dev, about.st_ino))
                    whole += about.st_blocks * _BLOCK
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(entry.path)
        except OSError:
            continue
    return whole
