"""The repositories in which runs have left branches: those of the runs that there are, and those of runs that
are gone, which are kept in a small file."""

from __future__ import annotations

from pathlib import Path

import msgspec

from bigtask import durable_file


class Repositories:
    """Kept in `file`. Safe with several processes. Raises OSError where it can't be written."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def listed(self) -> tuple[Path, ...]:
        """Tops of working trees. A file that can't be read names none."""
        try:
            return tuple(map(Path, msgspec.json.decode(self._file.read_bytes(), type=list[str])))
        except (OSError, msgspec.DecodeError):
            return ()

    def remember(self, root: Path) -> None:
        self._change(add=root)

    def forget(self, root: Path) -> None:
        self._change(drop=root)

    def _change(self, *, add: Path | None = None, drop: Path | None = None) -> None:
        with durable_file.alone(self._file.with_suffix(".lock")):
            before = self.listed()
            after = {*before, *([add] if add else [])} - {drop}
            if after != set(before):
                durable_file.replace(self._file, msgspec.json.encode(sorted(map(str, after))))
