"""Two commits merged on objects alone: no file, index or ref is touched.

Git merges what can be merged, and a `Rule` may settle the rest. What is still undecided is told file by file,
with its three versions; git's own markers and invented names (`x~COMMIT`) never get any further than here.
"""

from __future__ import annotations

import os
import posixpath
import unicodedata
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

from bigtask.workspaces.changes import ConflictedFile, Side
from bigtask.workspaces.git import Git
from bigtask.workspaces.staging import difference

Favour = Literal["ours", "theirs"]
Stages = Mapping[str, Side]
"""A file's versions by git's numbers: `1` is the common base, `2` ours, `3` theirs."""

_MOST_BYTES = 16 * 2**20
"""Larger files are taken whole, like binary ones."""
_LOOKED_AT = 8_000
"""Git's own measure for what is binary: a NUL among the first bytes."""
_FILES = frozenset({"100644", "100755"})
_TREE, _LINK, _REPOSITORY = "040000", "120000", "160000"
_FAVOUR = {"ours": "--ours", "theirs": "--theirs"}
_MARKS = (b"<<<<<<< ", b"||||||| ", b">>>>>>> ")

Join = Callable[[str], Awaitable[bytes | None]]
"""The whole document that several tasks have written parts of, or None where it isn't one."""


@dataclass(frozen=True, kw_only=True)
class Rule:
    """How conflicts are settled. `favour` is the side whose lines are kept where both changed the same ones;
    with `whole` its version of each such file, as it is. `join` comes before it."""

    favour: Favour | None = None
    whole: bool = False
    join: Join | None = None


@dataclass(frozen=True, kw_only=True)
class Labels:
    """What the sides are called between markers."""

    ours: str = "merged so far"
    base: str = "before"
    theirs: str = "this task"


@dataclass(frozen=True, kw_only=True)
class Merge:
    """`tree` is the merged content. While `undecided` isn't empty, texts in it hold markers, and of other
    files it has what git leaves there. `settled` and `joined` are the paths that the rule has decided."""

    tree: str
    undecided: tuple[ConflictedFile, ...] = ()
    settled: tuple[str, ...] = ()
    joined: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class _Clash:
    """`stages` as git tells them; `trees` is what lies at the path in the three commits. `invented` are names
    that git gave to what couldn't stay at `path`."""

    path: str
    stages: Stages
    trees: Stages
    invented: tuple[str, ...] = ()
    what: str = ""


async def merged(git: Git, ours: str, theirs: str, rule: Rule, labels: Labels | None = None) -> Merge:
    """`ours` and `theirs` are commits. Raises GitError."""
    printed = await git.call(
        "merge-tree", "--write-tree", "-z", "--no-messages", ours, theirs, statuses=(0, 1)
    )
    tree, stages = read_stages(printed.stdout)
    bases = await git.call("merge-base", "--", ours, theirs, statuses=(0, 1))
    base = bases.stdout.decode().strip() or None
    clashes = [
        *await _clashes(git, (base, ours, theirs), stages),
        *await _case_clashes(git, tree, ours, theirs),
    ]
    if not clashes:
        return Merge(tree=tree)
    work = _Settling(git, rule, labels or Labels(), ours)
    for clash in clashes:
        await work.take(clash)
    return Merge(
        tree=await edited(git, tree, work.edits),
        undecided=tuple(work.undecided),
        settled=tuple(work.settled),
        joined=tuple(work.joined),
    )


def read_stages(printed: bytes) -> tuple[str, dict[str, dict[str, Side]]]:
    """From `git merge-tree --write-tree -z --no-messages`: the merged tree, and each conflicting path's
    versions."""
    tree, *entries = os.fsdecode(printed).split("\0")
    stages: dict[str, dict[str, Side]] = {}
    for entry in entries:
        if entry:
            about, _, path = entry.partition("\t")
            mode, blob, stage = about.split(" ")
            stages.setdefault(path, {})[stage] = Side(mode=mode, blob=blob)
    return tree.strip(), stages


async def edited(git: Git, tree: str, entries: Mapping[str, Side | None]) -> str:
    """The tree with these entries in place of what is at their paths; a file takes the place of a folder."""
    if not entries:
        return tree
    nothing = "0" * len(tree)
    # What goes, first: a folder may have to make room.
    ordered = sorted(entries.items(), key=lambda entry: entry[1] is not None)
    lines = b"".join(
        f"{side.mode if side else '0'} {side.blob if side else nothing}\t".encode()
        + os.fsencode(path)
        + b"\0"
        for path, side in ordered
    )
    async with git.scratch_index() as scratch:
        await scratch.call("read-tree", tree)
        await scratch.call("update-index", "-z", "--index-info", input=lines)
        return await scratch.word("write-tree")


async def content(git: Git, side: Side | None) -> bytes | None:
    """Of a text that isn't too large; None for anything else."""
    if side is None or side.mode not in _FILES:
        return None
    printed = await git.peek("cat-file", "blob", side.blob, limit_bytes=_MOST_BYTES)
    found = printed.stdout
    return None if printed.truncated or b"\0" in found[:_LOOKED_AT] else found


async def entries_at(git: Git, commit: str | None, paths: Iterable[str]) -> dict[str, Side]:
    """What lies at the paths in a commit, folders included."""
    wanted = sorted(set(paths))
    if commit is None or not wanted:
        return {}
    printed = await git.call("ls-tree", "-z", commit, "--", *wanted)
    return _read_entries(printed.stdout)


def marked(text: bytes) -> bool:
    """Whether a line of it begins like one of git's markers."""
    return any(line.startswith(_MARKS) for line in text.splitlines())


class _Settling:
    """Decides one file after the other."""

    def __init__(self, git: Git, rule: Rule, labels: Labels, ours: str) -> None:
        self._git = git
        self._rule = rule
        self._labels = labels
        self._git_marks = f"<<<<<<< {ours}".encode()
        self.edits: dict[str, Side | None] = {}
        self.undecided: list[ConflictedFile] = []
        self.settled: list[str] = []
        self.joined: list[str] = []

    async def take(self, clash: _Clash) -> None:
        for name in clash.invented:
            self.edits[name] = None
        base, ours, theirs = [await self._version(clash, stage) for stage in ("1", "2", "3")]
        texts = [await content(self._git, side) for side in (base, ours, theirs)]
        if self._rule.join is not None and texts[1] is not None and texts[2] is not None and not clash.what:
            whole = await self._rule.join(clash.path)
            if whole is not None:
                assert ours is not None
                self.edits[clash.path] = Side(mode=ours.mode, blob=await self._blob(whole))
                self.joined.append(clash.path)
                return
        if self._rule.favour is not None:
            await self._favour(clash, self._rule.favour, base, ours, theirs, texts)
            return
        await self._leave(clash, base, ours, theirs, texts)

    async def _favour(
        self,
        clash: _Clash,
        favour: Favour,
        base: Side | None,
        ours: Side | None,
        theirs: Side | None,
        texts: list[bytes | None],
    ) -> None:
        kept = ours if favour == "ours" else theirs
        here = clash.trees.get("2" if favour == "ours" else "3")
        self.settled.append(clash.path)
        if not clash.trees and not clash.invented and None in (ours, theirs):
            # A folder was renamed meanwhile, and git has put its new file where the others are now.
            return
        if kept is None and here is not None and here.mode == _TREE:
            return  # the folder that stands in the way of the other one's file
        if clash.what or self._rule.whole or kept is None or None in texts[1:]:
            self.edits[clash.path] = kept
            return
        text = await self._merged_text(texts, _FAVOUR[favour])
        self.edits[clash.path] = Side(mode=_mode(base, ours, theirs, kept), blob=await self._blob(text))

    async def _leave(
        self,
        clash: _Clash,
        base: Side | None,
        ours: Side | None,
        theirs: Side | None,
        texts: list[bytes | None],
    ) -> None:
        """Undecided. Texts get markers that say whose lines are whose."""
        if ours is not None and texts[1] is not None and texts[2] is not None and not clash.what:
            text = await self._merged_text(texts, "--diff3")
            mode = _mode(base, ours, theirs, ours)
            self.edits[clash.path] = Side(mode=mode, blob=await self._blob(text))
        elif clash.invented and ours is not None:
            self.edits[clash.path] = ours
        sides = (base, ours, theirs)
        self.undecided.append(
            ConflictedFile(
                path=clash.path,
                base=base.blob if base else None,
                ours=ours.blob if ours else None,
                theirs=theirs.blob if theirs else None,
                modes=(_mode_of(base), _mode_of(ours), _mode_of(theirs)),
                what=clash.what or _what(sides, texts),
            )
        )

    async def _version(self, clash: _Clash, stage: str) -> Side | None:
        """What git hands to the merge of this file, unless it has put markers of its own in there (where both
        sides renamed the file and changed it); else what the commit has."""
        there = clash.trees.get(stage)
        there = None if there is not None and there.mode == _TREE else there
        told = clash.stages.get(stage)
        if told is None:
            return there if clash.what else None
        if there is not None and told.blob != there.blob:
            text = await content(self._git, told)
            if text is not None and self._git_marks in text:
                return there
        return told

    async def _merged_text(self, texts: list[bytes | None], how: str) -> bytes:
        base, ours, theirs = texts
        labels = self._labels
        with TemporaryDirectory(prefix="bigtask-merge-") as folder:
            files = [Path(folder) / name for name in ("ours", "base", "theirs")]
            for file, text in zip(files, (ours, base, theirs), strict=True):
                file.write_bytes(text or b"")
            named = ("-L", labels.ours, "-L", labels.base, "-L", labels.theirs)
            # The exit status counts conflicts, up to 127.
            printed = await self._git.call(
                "merge-file", "-p", "-q", how, *named, "--", *map(str, files), statuses=range(128)
            )
        return printed.stdout

    async def _blob(self, text: bytes) -> str:
        return await self._git.word("hash-object", "-w", "--stdin", input=text)


async def _clashes(
    git: Git, commits: tuple[str | None, str, str], stages: Mapping[str, Stages]
) -> list[_Clash]:
    """One for each path that the commits know, in git's order."""
    found: dict[str, dict[str, Side]] = {}
    invented: dict[str, list[str]] = {}
    for name, sides in stages.items():
        path = _without(name, commits[1:])
        found.setdefault(path, {}).update(sides)
        if path != name:
            invented.setdefault(path, []).append(name)
    trees = [await entries_at(git, commit, found) for commit in commits]
    return [
        _Clash(
            path=path,
            stages=sides,
            trees={stage: tree[path] for stage, tree in zip("123", trees, strict=True) if path in tree},
            invented=tuple(invented.get(path, ())),
        )
        for path, sides in found.items()
    ]


async def _case_clashes(git: Git, tree: str, ours: str, theirs: str) -> list[_Clash]:
    """Files of the two sides whose names differ in case only (or in how an accent is written): on many
    systems they are one file. What one side has both of is meant."""
    added = [change.path for change in await difference(git, ours, tree) if change.old is None]
    others = await _alike(git, ours, added)
    if not others:
        return []
    mine = await entries_at(git, theirs, [*others, *others.values()])
    here = await entries_at(git, ours, others.values())
    return [
        clash
        for name, other in others.items()
        if other not in mine and name in mine
        for clash in (
            _Clash(path=other, stages={}, trees={"2": here[other]}, what=f"its name is like {name}"),
            _Clash(path=name, stages={}, trees={"3": mine[name]}, what=f"its name is like {other}"),
        )
    ]


async def _alike(git: Git, commit: str, paths: list[str]) -> dict[str, str]:
    """For each of the new paths that is like a file of the commit in all but case: that file."""
    found: dict[str, str] = {}
    level: dict[str, list[tuple[str, str]]] = {}
    for path in paths:
        level.setdefault("", []).append((path, path))
    while level:
        folders = sorted(level)
        listed = await _children(git, commit, folders)
        below: dict[str, list[tuple[str, str]]] = {}
        for folder in folders:
            for path, rest in level[folder]:
                name, _, more = rest.partition("/")
                for child, side in listed.get(folder, {}).get(_folded(name), ()):
                    place = posixpath.join(folder, child)
                    if more and side.mode == _TREE:
                        below.setdefault(place, []).append((path, more))
                    elif not more and side.mode != _TREE and place != path:
                        found[path] = place
        level = below
    return found


async def _children(
    git: Git, commit: str, folders: list[str]
) -> dict[str, dict[str, list[tuple[str, Side]]]]:
    """By folder and folded name."""
    wanted = [f"{folder}/" for folder in folders if folder]
    printed = await git.call("ls-tree", "-z", commit, *(("--", *wanted) if wanted else ()))
    found: dict[str, dict[str, list[tuple[str, Side]]]] = {}
    for path, side in _read_entries(printed.stdout).items():
        folder, name = posixpath.split(path)
        found.setdefault(folder, {}).setdefault(_folded(name), []).append((name, side))
    return found


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


def _read_entries(printed: bytes) -> dict[str, Side]:
    """From `git ls-tree -z`."""
    found = {}
    for entry in os.fsdecode(printed).split("\0"):
        if entry:
            about, _, path = entry.partition("\t")
            mode, _, blob = about.split(" ")
            found[path] = Side(mode=mode, blob=blob)
    return found


def _without(name: str, commits: Iterable[str | None]) -> str:
    """The path that git moved out of the way under an invented name."""
    for commit in commits:
        path, sign, rest = name.rpartition(f"~{commit}")
        if sign and path and (not rest or rest.removeprefix("_").isdigit()):
            return path
    return name


def _mode(base: Side | None, ours: Side | None, theirs: Side | None, kept: Side) -> str:
    """The one that changed, and where both did that of the side which is kept."""
    if base is not None and ours is not None and theirs is not None:
        if ours.mode == base.mode:
            return theirs.mode
        if theirs.mode == base.mode:
            return ours.mode
    return kept.mode


def _mode_of(side: Side | None) -> str | None:
    return side.mode if side is not None else None


def _what(sides: tuple[Side | None, ...], texts: list[bytes | None]) -> str:
    """In words, for people."""
    base, ours, theirs = sides
    if ours is None and theirs is None:
        return "renamed differently"
    if ours is None or theirs is None:
        if base is None:
            return "renamed differently, or in the way of a folder"
        return (
            "deleted before, changed by this task" if ours is None else "changed before, deleted by this task"
        )
    kinds = {_kind(ours.mode), _kind(theirs.mode)}
    if len(kinds) > 1:
        return " and ".join(sorted(kinds))
    if kinds != {"a file"}:
        return f"both changed it, and it is {kinds.pop()}"
    if ours.blob == theirs.blob:
        return "both changed its mode"
    if None in texts[1:]:
        return "both changed it, and it is binary"
    return "both added it" if base is None else "both changed the same lines"


def _kind(mode: str) -> str:
    return {_LINK: "a link", _REPOSITORY: "a submodule"}.get(mode, "a file")
