"""Finding what a project brings for an agent, in a folder or in a commit. Looks, and runs nothing.

What is found is bound to its bytes: `digest` changes with any of them, with a file that comes or goes, and
with where a link leads.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import posixpath
import stat
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from msgspec.structs import replace

from bigtask.agents.protocol import ProjectRules
from bigtask.approvals import digest_of
from bigtask.core.values import Brought
from bigtask.workspaces.git import Git

_MOST_BYTES = 2**22
_MOST_PATHS = 1_000_000
_MOST_FOUND = 5_000
_LISTING_BYTES = 2**27
_OUTSIDE = "leads out of the project, so that it can't be approved"
_LONG = "is too long to be looked at, so that it can't be approved"


class Tree(Protocol):
    """`links` says of each path whether it is a symbolic link. Paths are from the top, with slashes."""

    links: Mapping[str, bool]

    async def read(self, paths: Iterable[str]) -> dict[str, bytes | None]:
        """The content, or of a link where it leads; None for what can't be read or is too long."""


@dataclass(frozen=True, kw_only=True)
class Listing:
    """`firm` is false where something in it can't be bound to its content: then it can't be approved."""

    brought: tuple[Brought, ...]
    firm: bool

    @property
    def digest(self) -> str:
        return digest_of([(file.path, file.digest) for file in self.brought])


async def listing(tree: Tree, rules: ProjectRules, checkout: Path | None = None) -> Listing:
    """In the order of paths. `checkout` is the repository's main one: what an agent takes from there counts
    where it differs."""
    found: dict[str, Brought] = {}
    firm = True
    wanted = sorted(path for path in tree.links if _counts(path, rules))
    while wanted:
        contents = await tree.read(wanted)
        following: set[str] = set()
        for path in wanted:
            content = contents[path]
            file, leads_to = _looked_at(tree, rules, path, content)
            found[path] = file
            firm = firm and content is not None and (bool(leads_to) or not tree.links[path])
            following.update(named for named in leads_to if named in tree.links)
        wanted = sorted(following - found.keys())
        if len(found) + len(wanted) > _MOST_FOUND:
            firm, wanted = False, []
    for folder in rules.of_checkout:
        if checkout is None:
            break
        beside = FolderTree(checkout, await asyncio.to_thread(_walked, checkout, folder))
        for path, content in (await beside.read(beside.links)).items():
            file, _ = _looked_at(beside, rules, path, content)
            if found.get(path) != file:
                named = f"{path} in {checkout}"
                found[named] = replace(file, path=named)
                firm = firm and content is not None and not beside.links[path]
    return Listing(brought=tuple(found[path] for path in sorted(found)), firm=firm)


def _looked_at(
    tree: Tree, rules: ProjectRules, path: str, content: bytes | None
) -> tuple[Brought, tuple[str, ...]]:
    """The file, and the paths that it leads to."""
    if content is None:
        return Brought(path=path, digest="", what=(_LONG,)), ()
    if tree.links[path]:
        leads_to = _below(tree, posixpath.join(posixpath.dirname(path), os.fsdecode(content)))
        what = "a link" if leads_to else _OUTSIDE
        return Brought(path=path, digest=_digest(b"link " + content), what=(what,)), leads_to
    text = content.decode(errors="replace")
    return (
        Brought(path=path, digest=_digest(content), what=rules.says(path, text)),
        rules.leads_to(path, text),
    )


def _counts(path: str, rules: ProjectRules) -> bool:
    *folders, name = path.split("/")
    return name in rules.names or name in rules.folders or not rules.folders.isdisjoint(folders)


def _below(tree: Tree, target: str) -> tuple[str, ...]:
    """The files that a link leads to; none where it leads out of the project, or nowhere."""
    whole = posixpath.normpath(target)
    if whole.startswith(("/", "../")) or whole in ("..", "."):
        return ()
    return tuple(path for path in tree.links if path == whole or path.startswith(f"{whole}/"))


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


class FolderTree:
    """The files in a folder as they are now: those that git ignores too, but not git's own folder."""

    def __init__(self, top: Path, links: Mapping[str, bool]) -> None:
        self._top = top
        self.links = links

    @classmethod
    async def of(cls, top: Path) -> FolderTree:
        return cls(top, await asyncio.to_thread(_walked, top))

    async def read(self, paths: Iterable[str]) -> dict[str, bytes | None]:
        return await asyncio.to_thread(lambda: {path: self._content(path) for path in paths})

    def _content(self, path: str) -> bytes | None:
        file = self._top / path
        try:
            if self.links[path]:
                return os.fsencode(os.readlink(file))
            # A pipe that has come under this name would make us wait for ever.
            descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
            with open(descriptor, "rb") as opened:
                if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                    return None
                content = opened.read(_MOST_BYTES + 1)
        except OSError:
            return None
        return content if len(content) <= _MOST_BYTES else None


def _walked(top: Path, start_at: str = "") -> dict[str, bool]:
    found: dict[str, bool] = {}
    for folder, folders, files in os.walk(top / start_at):
        below = os.path.relpath(folder, top)
        start = "" if below == "." else f"{below}/"
        if ".git" in folders:
            folders.remove(".git")
        for name in files:
            found[start + name] = os.path.islink(os.path.join(folder, name))
        # Links to folders aren't gone into: what they lead to is in the project, or doesn't count.
        found |= {start + name: True for name in folders if os.path.islink(os.path.join(folder, name))}
        if len(found) > _MOST_PATHS:
            break
    return found


class CommitTree:
    """What a checkout of a commit would have, without what isn't in git."""

    def __init__(self, git: Git, blobs: Mapping[str, str], links: Mapping[str, bool]) -> None:
        self._git = git
        self._blobs = blobs
        self.links = links

    @classmethod
    async def of(cls, git: Git, commit: str) -> CommitTree:
        """Raises `GitError`."""
        printed = await git.call("ls-tree", "-r", "-z", commit, limit_bytes=_LISTING_BYTES)
        blobs, links = {}, {}
        for line in printed.stdout.split(b"\0"):
            about, _, name = line.partition(b"\t")
            mode, _, blob = about.partition(b" blob ")
            if blob:
                path = os.fsdecode(name)
                blobs[path], links[path] = blob.decode(), mode == b"120000"
        return cls(git, blobs, links)

    async def read(self, paths: Iterable[str]) -> dict[str, bytes | None]:
        return {path: await self._content(path) for path in paths}

    async def _content(self, path: str) -> bytes | None:
        printed = await self._git.peek("cat-file", "blob", self._blobs[path], limit_bytes=_MOST_BYTES)
        return None if printed.truncated else printed.stdout
