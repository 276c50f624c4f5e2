"""A long patch made short enough to be read in one go, with something of every file."""

from __future__ import annotations

import re

_FILE = re.compile(r"^(?=diff --git )", re.MULTILINE)


def excerpt(patch: str, most: int) -> str:
    """At most `most` characters of git's patch, and a line for each file that lost some.

    Short files stay whole; what they leave over is shared by the long ones, which keep their beginning.
    """
    if len(patch) <= most:
        return patch
    files = [file for file in _FILE.split(patch) if file]
    share = _share([len(file) for file in files], most)
    return "".join(file if len(file) <= share else _cut(file, share) for file in files)


def _share(sizes: list[int], most: int) -> int:
    """The size up to which every file fits in whole, or else is cut to."""
    left = most
    for place, size in enumerate(sorted(sizes)):
        share = left // (len(sizes) - place)
        if size > share:
            return share
        left -= size
    return most


def _cut(file: str, share: int) -> str:
    kept = file[:share].rpartition("\n")[0]
    more = file.count("\n") - kept.count("\n") - 1
    return f"{kept}\n[{more} more lines of this file are left out here]\n"
