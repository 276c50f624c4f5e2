"""What governs git around an attempt, before it and after it.

An agent that isn't sandboxed can write wherever its person can: into the settings and hooks that all working
trees of a repository share, into branches of others. Nothing of it runs here (`settings`), but it would in
the person's own git. So a picture is taken before an attempt and compared with what is there afterwards.
What changed in between may be anybody's doing; nothing is put back.

`integrity/{task}.{n}.json` in the run's folder is the picture, which holds digests and no values.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from bigtask import durable_file
from bigtask.errors import GitError
from bigtask.workspaces import names
from bigtask.workspaces.changes import legible
from bigtask.workspaces.consent import entries
from bigtask.workspaces.git import Git

_FILES = (
    "info/attributes",
    "info/exclude",
    "info/grafts",
    "objects/info/alternates",
    "objects/info/http-alternates",
    "shallow",
)
"""Below the common git dir: each changes what git reads, or where from."""

_OF_A_WORKTREE = ("commondir", "gitdir", "config.worktree")
_OF = " of the worktree "
_PLAIN = re.compile(r"[\w.-]{1,200}")
_READ_BYTES = 2**20


class Picture(msgspec.Struct, frozen=True, kw_only=True):
    """Digests by what they are of: files under names for people, settings by their keys, refs as they are.

    A setting has a digest for each of its values.
    """

    files: dict[str, str]
    settings: dict[str, tuple[str, ...]]
    refs: dict[str, str]


@dataclass(frozen=True, kw_only=True)
class Changes:
    """Parts of a sentence. `held` are those that hold the work back; what happened to the person's own
    branches is only `noted`, since they may be at work there."""

    held: tuple[str, ...] = ()
    noted: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Integrity:
    """Of one run. `repository` is what it works in, `common_dir` its git dir, `home` the run's folder."""

    run_id: str
    repository: Git
    common_dir: Path
    home: Path

    async def begin(self, task_id: str, n: int) -> None:
        """Take the attempt's picture, unless there is one: a session that goes on began with that.

        Raises `GitError`, and OSError where it can't be kept.
        """
        file = self._file(task_id, n)
        if file.exists() or not self.common_dir.exists():
            return
        picture = await self._picture()
        file.parent.mkdir(mode=0o700, exist_ok=True)
        durable_file.replace(file, msgspec.json.encode(picture))

    async def changes(self, task_id: str, n: int) -> Changes:
        """Since `begin`; none where there is no picture. Raises `GitError`."""
        try:
            before = msgspec.json.decode(self._file(task_id, n).read_bytes(), type=Picture)
        except FileNotFoundError:
            return Changes()
        try:
            after = await self._picture()
        except GitError:
            return Changes(held=("the settings, which git can't read any more,",))
        held = [
            *self._files_changed(before.files, after.files, task_id, n),
            *_settings_changed(before, after),
        ]
        noted: list[str] = []
        at_work = _worktrees(before) | _worktrees(after)
        for ref, commit in before.refs.items():
            now = after.refs.get(ref)
            if now == commit or self._folder_of(ref) in at_work or not await self._lost(ref, commit, now):
                continue
            how = "is gone" if now is None else "lost commits"
            if self._is_ours(ref):
                held.append(f"the branch or ref {ref.removeprefix('refs/heads/')} ({how})")
            elif ref.startswith(("refs/heads/", "refs/tags/")) and not ref.startswith("refs/heads/bigtask/"):
                noted.append(f"{ref} ({how}: it was {commit[:12]})")
        return Changes(held=tuple(held), noted=tuple(noted))

    def forget(self, task_id: str, n: int) -> None:
        self._file(task_id, n).unlink(missing_ok=True)

    @property
    def _reading(self) -> Git:
        """Names and commits are read whatever the settings name by now: that runs nothing of it."""
        return replace(self.repository, guard=None)

    def _files_changed(
        self, before: Mapping[str, str], after: Mapping[str, str], task_id: str, n: int
    ) -> Iterator[str]:
        own = "" if task_id.startswith("@") else _OF + names.folder(self.run_id, task_id, n)
        # Nobody takes these away while the attempt is at work.
        kept = tuple(filter(None, (own, _OF + names.folder(self.run_id, names.INTEGRATION, 1))))
        for name in sorted({*before, *after}):
            old, new = before.get(name), after.get(name)
            # Worktrees of others come and go meanwhile, one file after the other.
            gone = _OF in name and not (old and new) and not name.endswith(kept)
            if old != new and not gone:
                yield name.replace(own, " of its workspace") if own else name

    def _file(self, task_id: str, n: int) -> Path:
        return self.home / "integrity" / f"{task_id}.{n}.json"

    def _folder_of(self, ref: str) -> str:
        """Of an attempt's branch the name of its worktree: whoever works there may rewrite it."""
        task_id, _, n = ref.removeprefix(names.ref(names.run_branches(self.run_id))).partition("/")
        return names.folder(self.run_id, task_id, int(n)) if n.isdigit() else ""

    def _is_ours(self, ref: str) -> bool:
        return any(
            ref.startswith(start)
            for start in (
                names.ref(names.run_branches(self.run_id)),
                f"{names.base_ref(self.run_id)}",
                f"refs/bigtask/start/{self.run_id}/",
                f"refs/bigtask/rescue/{self.run_id}/",
            )
        )

    async def _lost(self, ref: str, before: str, now: str | None) -> bool:
        """Whether commits can't be reached any more that could be. Only bigtask itself takes merges out of
        the integration branch, which is then among its earlier commits."""
        if now is None:
            return True
        if ref.startswith("refs/bigtask/") and not ref.startswith("refs/bigtask/rescue/"):
            return True
        try:
            if await self._reading.is_ancestor(before, now):
                return False
            main = names.ref(names.integration_branch(self.run_id))
            return ref != main or not await self._reading.is_ancestor(now, before)
        except GitError:
            # Something that isn't a commit, as a tag may point to: then it has only moved.
            return True

    async def _picture(self) -> Picture:
        listed = await self._reading.call("for-each-ref", "--format=%(objectname) %(refname)")
        refs = (line.split(" ", 1) for line in os.fsdecode(listed.stdout).split("\n") if line)
        settings: dict[str, list[str]] = {}
        for key, value in await self._settings():
            settings.setdefault(key, []).append(_digest(os.fsencode(value)))
        return Picture(
            files=dict(self._pictured()),
            settings={key: tuple(values) for key, values in settings.items()},
            refs={legible(ref): commit for commit, ref in refs},
        )

    async def _settings(self) -> list[tuple[str, str]]:
        found = await entries(f"--git-dir={self.repository.git_dir}", cwd=self.common_dir)
        return [
            (key, value)
            for origin, key, value in found
            if origin.startswith("file:") and not _harmless(key, value)
        ]

    def _pictured(self) -> Iterator[tuple[str, str]]:
        for name in _FILES:
            yield f".git/{name}", _of_file(self.common_dir / name)
        yield from _hooks(self.common_dir, "")
        if self.repository.work_tree is not None:
            yield "the .git of the project", _of_file(self.repository.work_tree / ".git")
        for config in sorted((self.common_dir / "modules").rglob("config")):
            submodule = config.parent.relative_to(self.common_dir)
            yield f"the settings of the submodule {_named(submodule.name)}", _of_file(config)
            yield from _hooks(config.parent, f" of the submodule {_named(submodule.name)}")
        records = self.common_dir / "worktrees"
        for record in sorted(records.iterdir()) if records.is_dir() else ():
            if not (record / "index").exists():
                continue  # git is still making it, and writes these one after the other
            whose = _OF + _named(record.name)
            for name in _OF_A_WORKTREE:
                yield f"{name}{whose}", _of_file(record / name)
            # Git's record says where the file lies; ours says so for those of this run.
            yield f"the .git file{whose}", _of_file(self.home / "workspaces" / record.name / ".git")


def _worktrees(picture: Picture) -> set[str]:
    return {name.partition(_OF)[2] for name in picture.files if _OF in name}


def _settings_changed(before: Picture, after: Picture) -> Iterator[str]:
    for key in sorted({*before.settings, *after.settings}):
        if before.settings.get(key) != after.settings.get(key):
            yield f"the setting {_spelled(key)}"


def _harmless(key: str, value: str) -> bool:
    """Which branch another one follows is noted there whenever somebody makes a branch. Where it names an
    address it says where a push goes."""
    if not key.startswith("branch."):
        return False
    if key.endswith((".remote", ".pushremote")):
        return _PLAIN.fullmatch(value) is not None
    return key.endswith((".merge", ".rebase", ".description"))


def _spelled(key: str) -> str:
    """A key without a middle part that may hold an address with a password."""
    section, *middle, name = key.split(".")
    inner = ".".join(middle)
    return ".".join((section, *([_named(inner)] if inner else []), name))


def _named(name: str) -> str:
    return name if _PLAIN.fullmatch(name) else "…"


def _hooks(git_dir: Path, whose: str) -> Iterator[tuple[str, str]]:
    folder = git_dir / "hooks"
    if folder.is_symlink():
        yield f"the folder of hooks{whose}", _of_file(folder)
        return
    for hook in sorted(_listed(folder)):
        if not hook.name.endswith(".sample"):
            yield f"the hook {_named(hook.name)}{whose}", _of_file(hook)


def _listed(folder: Path) -> Iterable[Path]:
    try:
        return list(folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return ()


def _of_file(file: Path) -> str:
    """Of its kind, its mode and what is in it, never of what a link leads to. Empty where nothing is."""
    try:
        about = file.lstat()
        if stat.S_ISLNK(about.st_mode):
            return _digest(b"link " + os.fsencode(os.readlink(file)))
        if not stat.S_ISREG(about.st_mode):
            return _digest(b"no file %o" % about.st_mode)
        descriptor = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with open(descriptor, "rb") as opened:
            content = opened.read(_READ_BYTES)
    except (FileNotFoundError, NotADirectoryError):
        return ""
    except OSError as error:
        return _digest(f"unreadable {error.errno}".encode())
    return _digest(b"%o %d " % (about.st_mode, about.st_size) + content)


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:32]
