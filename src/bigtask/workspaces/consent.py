"""Which of a repository's settings name programs now, and whether a person has allowed exactly those."""

from __future__ import annotations

import hashlib
import os
import stat
from dataclasses import dataclass
from pathlib import Path

from bigtask.errors import GitError
from bigtask.workspaces.git import outside
from bigtask.workspaces.settings import (
    Program,
    SettingsNotApproved,
    names_file,
    names_program,
    read_entries,
    signature,
)

_DEEPEST = 10
_MOST_BYTES = 2**20


@dataclass(frozen=True, kw_only=True)
class Listing:
    """`programs` are the settings that need a person's word, those of included files among them."""

    programs: frozenset[Program]
    by_worktree: bool
    """Whether working trees have settings of their own."""

    @property
    def includes(self) -> bool:
        return any(names_file(program.key) for program in self.programs)


async def listing(git_dir: Path) -> Listing:
    """Of a working tree's own git dir. Reads settings and runs nothing. Raises `GitError`."""
    found: set[Program] = set()
    by_worktree = False
    for origin, key, value in await entries(f"--git-dir={git_dir}", cwd=git_dir):
        if origin.startswith("file:"):
            by_worktree = by_worktree or key == "extensions.worktreeconfig"
            await _gather(found, Path(origin.removeprefix("file:")), key, value, _DEEPEST)
    return Listing(programs=frozenset(found), by_worktree=by_worktree)


class Consent:
    """Asked before every call of git in a repository: the settings may have changed since the last one.

    It costs a look at the time of a file, and a listing where that has changed. Where files are included it
    costs a listing each time.
    """

    def __init__(self, common_dir: Path, allowed: frozenset[Program]) -> None:
        self._file = common_dir / "config"
        self._allowed = allowed
        self._held: dict[Path, tuple[tuple[int, ...], ...]] = {}

    async def require(self, git_dir: Path) -> None:
        """Raises `SettingsNotApproved` where a setting names a program that wasn't among those allowed."""
        now = (signature(self._file), signature(git_dir / "config.worktree"))
        if self._held.get(git_dir) == now:
            return
        if now[1] == () and any(held == now for held in self._held.values()):
            self._held[git_dir] = now
            return
        found = await listing(git_dir)
        if not found.programs <= self._allowed:
            raise SettingsNotApproved(self._file, found.programs)
        if not found.includes:
            self._held[git_dir] = now


async def entries(*where: str, cwd: Path) -> tuple[tuple[str, str, str], ...]:
    """`(origin, key, value)` of every setting, without those of included files and without ours.

    Raises `GitError`.
    """
    arguments = (*where, "config", "--list", "-z", "--show-origin", "--no-includes")
    listed = await outside(*arguments, cwd=cwd, neutral=False)
    if listed.status != 0 or listed.truncated:
        printed = listed.stderr.decode(errors="replace")
        raise GitError(("config",), listed.status, printed or "the settings are longer than 1 MiB")
    return read_entries(listed.stdout)


async def _gather(found: set[Program], file: Path, key: str, value: str, depth: int) -> None:
    if names_program(key):
        found.add(Program(key=key, value=value))
    if not names_file(key):
        return
    target = Path(file.parent, os.path.expanduser(value))
    content = _content(target)
    found.add(Program(key=key, value=value, content=content))
    if content and depth:
        for _, inner, said in await _config_file(target):
            await _gather(found, target, inner, said, depth - 1)


async def _config_file(file: Path) -> tuple[tuple[str, str, str], ...]:
    arguments = ("config", f"--file={file}", "--list", "-z", "--show-origin", "--no-includes")
    listed = await outside(*arguments, cwd=file.parent, neutral=False)
    return read_entries(listed.stdout) if listed.status == 0 else ()


def _content(file: Path) -> str:
    """Empty for what git wouldn't read either; a file that is too long to look at never has the same."""
    try:
        if not stat.S_ISREG(file.stat().st_mode):
            return os.urandom(16).hex()
        content = file.read_bytes()
    except OSError:
        return ""
    return hashlib.sha256(content).hexdigest() if len(content) <= _MOST_BYTES else os.urandom(16).hex()
