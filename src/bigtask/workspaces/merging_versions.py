"""The three versions of files in conflict, as plain files that a person can open.

`base/`, `ours/` and `theirs/` hold each of them at its path: as it was before, as it is merged by now, as the
task has it. A link or a submodule is a text that says where it leads.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bigtask.workspaces.changes import ConflictedFile
from bigtask.workspaces.git import Git

SIDES = ("base", "ours", "theirs")
_MOST_FILES = 200
_MOST_BYTES = 16 * 2**20
_REPOSITORY = "160000"


async def write(git: Git, folder: Path, files: Sequence[ConflictedFile]) -> None:
    """In place of what is in the folder: at most 200 files, of each version at most 16 MiB. Never through a
    link, since all of it is made anew."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    unfinished = Path(tempfile.mkdtemp(prefix=f"{folder.name}.", dir=folder.parent))
    for side in SIDES:
        (unfinished / side).mkdir()
    for file in files[:_MOST_FILES]:
        for side, blob, mode in zip(SIDES, (file.base, file.ours, file.theirs), file.modes, strict=True):
            if blob is None or mode is None:
                continue
            place = unfinished / side / file.path
            place.parent.mkdir(parents=True, exist_ok=True)
            with place.open("xb") as opened:
                opened.write(await _text(git, mode, blob))
    if os.path.lexists(folder):
        shutil.rmtree(folder)
    unfinished.rename(folder)


async def _text(git: Git, mode: str, blob: str) -> bytes:
    if mode == _REPOSITORY:
        return f"a submodule at {blob}\n".encode()
    printed = await git.peek("cat-file", "blob", blob, limit_bytes=_MOST_BYTES)
    return (
        b"[longer than 16 MiB: git cat-file blob " + blob.encode() + b"]\n"
        if printed.truncated
        else printed.stdout
    )
